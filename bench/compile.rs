//! From records to answers: everything, and after a flip.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pulse53_bench::{plain, weighted};
use pulse53_core::compile::Compiler;
use pulse53_core::lower;
use pulse53_core::table::Generation;

fn everything(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for names in [1_000, 100_000] {
        let snapshot = plain(names);
        group.throughput(Throughput::Elements(names as u64)).sample_size(10);
        group.bench_function(BenchmarkId::new("plain", names), |bencher| {
            bencher.iter(|| Compiler::new(black_box(&snapshot), &|_| true, Generation(1)));
        });
        let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
        group.bench_function(BenchmarkId::new("lower", names), |bencher| {
            bencher.iter(|| lower::lower(black_box(compiler.table())).count());
        });
    }
}

fn flip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flip");
    for groups in [1, 1_000] {
        let mut compiler = Compiler::new(&weighted(groups), &|_| true, Generation(1));
        let (check, mut generation, mut healthy) = (["shared".into()], Generation(1), true);
        group.throughput(Throughput::Elements(groups as u64)).sample_size(20);
        group.bench_function(BenchmarkId::new("groups", groups), |bencher| {
            bencher.iter(|| {
                healthy = !healthy;
                generation = generation.next();
                compiler.flip(&check, &|_| healthy, generation)
            });
        });
    }
}

criterion_group!(benches, everything, flip);
criterion_main!(benches);
