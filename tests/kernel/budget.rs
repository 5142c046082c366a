//! What the program costs the verifier, in instructions, in stack and in calls of helpers: not more than `responder-ebpf/budget.toml` says.
//!
//! The verifier's count depends on the kernel, so the budget is that of the most laborious one. With `PULSE53_BUDGET=raise` (which
//! `cargo xtask verify --raise` sets) the file is written instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use aya_obj::Object;
use aya_obj::generated::{bpf_func_id, bpf_insn};
use pulse53::datapath::{LoadError, LoadOptions, Loaded, Samples, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_tests::entries;
use toml::de::{DeTable, DeValue};

/// Where `cargo xtask build` lays the BPF object.
const OBJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../responder/bpf/pulse53-xdp");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../responder-ebpf/budget.toml");
const BUDGET: &str = include_str!("../../responder-ebpf/budget.toml");

const SIZES: Sizes = Sizes {
    slots: 16,
    names: 16,
    columns: 16,
    variants: 16,
    small: 16,
    medium: 16,
    large: 16,
    ..entries::CLIENT_SIZES
};

/// Costs, or what they may be at most.
#[derive(Debug, Default)]
struct Costs {
    /// Instructions that the verifier looks at on all paths of all programs together.
    verified_instructions: u32,
    /// Instructions that the kernel keeps of all programs when everything is switched on.
    instructions: u32,
    /// Octets of stack.
    stack_octets: u32,
    /// Calls in the program, by helper. Look-ups in maps are compiled in place, and not counted.
    helper_calls: BTreeMap<String, u32>,
}

#[test]
fn the_program_keeps_to_its_budget() {
    // With debug lines, a deadline, samples and routes, so that nothing the object holds is left out.
    let (to, _samples) = std::sync::mpsc::sync_channel(1);
    let samples = Samples { one_in: 2, to, lost: Arc::default() };
    let options =
        LoadOptions { expires: true, samples: Some(samples), routes_replies: true, heat_one_in: 64 };
    let clients = entries::clients();
    let mut loaded = match Loaded::load_with(SIZES, &clients, UDP_PAYLOAD_MAX, 1, &options) {
        Ok(loaded) => loaded,
        Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
            return pulse53_tests::skip(&error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    let infos = loaded.program_infos().expect("the kernel tells");
    let object = std::fs::read(OBJECT).expect("the object that was embedded is there");
    let object = Object::parse(&object).expect("it has been loaded");
    let mut costs = Costs {
        verified_instructions: infos
            .iter()
            .map(|info| info.verified_instruction_count().expect("Linux 5.16 and later tell"))
            .sum(),
        instructions: infos.iter().map(|info| info.size_translated().expect("root is told") / 8).sum(),
        ..Costs::default()
    };
    for function in object.functions.values() {
        costs.stack_octets = costs.stack_octets.max(stack(&function.instructions));
        for name in function.instructions.iter().filter_map(helper) {
            *costs.helper_calls.entry(name).or_default() += 1;
        }
    }
    if std::env::var("PULSE53_BUDGET").is_ok_and(|wish| wish == "raise") {
        return std::fs::write(FILE, raised(&costs)).expect("the budget can be written");
    }
    let budget = read(BUDGET);
    println!("{}", table(&costs, &budget));
    let over = over(&costs, &budget);
    assert!(
        over.is_empty(),
        "responder-ebpf/budget.toml is exceeded:\n  {}\nspend less; or, if it is worth it, run `cargo xtask verify --raise` and say why in the commit",
        over.join("\n  ")
    );
}

/// The budget in a file of this form: what is missing there may cost nothing.
fn read(text: &str) -> Costs {
    let numbers = |table: &DeTable<'_>| -> BTreeMap<String, u32> {
        let number = |value: &DeValue<'_>| value.as_integer().and_then(|number| number.as_str().parse().ok());
        let pairs = table.iter().filter(|(_, value)| !value.get_ref().is_table());
        pairs
            .map(|(name, value)| {
                let name = name.get_ref().to_string();
                let number = number(value.get_ref());
                (name.clone(), number.unwrap_or_else(|| panic!("budget.toml: {name} is no number")))
            })
            .collect()
    };
    let table = DeTable::parse(text).unwrap_or_else(|error| panic!("budget.toml: {error}"));
    let table = table.get_ref();
    let mut costs = numbers(table);
    let mut take = |name: &str| costs.remove(name).unwrap_or(0);
    let helper_calls = table.get("helper_calls").and_then(|calls| calls.get_ref().as_table());
    let read = Costs {
        verified_instructions: take("verified_instructions"),
        instructions: take("instructions"),
        stack_octets: take("stack_octets"),
        helper_calls: helper_calls.map(numbers).unwrap_or_default(),
    };
    assert!(costs.is_empty(), "budget.toml: nobody knows {:?}", costs.keys());
    read
}

/// Every number with its budget.
fn rows(costs: &Costs, budget: &Costs) -> Vec<(String, u32, u32)> {
    let mut rows = vec![
        ("verified instructions".to_owned(), costs.verified_instructions, budget.verified_instructions),
        ("instructions".to_owned(), costs.instructions, budget.instructions),
        ("octets of stack".to_owned(), costs.stack_octets, budget.stack_octets),
    ];
    let helpers: BTreeSet<&String> = costs.helper_calls.keys().chain(budget.helper_calls.keys()).collect();
    for name in helpers {
        let of = |calls: &BTreeMap<String, u32>| calls.get(name).copied().unwrap_or(0);
        rows.push((format!("calls of {name}"), of(&costs.helper_calls), of(&budget.helper_calls)));
    }
    rows
}

fn table(costs: &Costs, budget: &Costs) -> String {
    let mut text = format!("{:<36}{:>10}{:>10}\n", "", "is", "may be");
    for (what, is, may_be) in rows(costs, budget) {
        writeln!(text, "{what:<36}{is:>10}{may_be:>10}").expect("memory");
    }
    text
}

fn over(costs: &Costs, budget: &Costs) -> Vec<String> {
    let over = rows(costs, budget).into_iter().filter(|(_, is, may_be)| is > may_be);
    over.map(|(what, is, may_be)| format!("{what}: {is}, and may be {may_be}")).collect()
}

/// The file for these costs: room for what other kernels and compilers make of the same program, and none for another helper call.
fn raised(costs: &Costs) -> String {
    let comments: String =
        BUDGET.lines().take_while(|line| line.starts_with('#')).fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("memory");
            text
        });
    // To two digits that count.
    let with_room = |number: u32, percent: u32| {
        let number = number + number * percent / 100;
        let unit = 10_u32.pow(number.max(1).ilog10().saturating_sub(1));
        number.div_ceil(unit) * unit
    };
    let mut text = format!(
        "{comments}\nverified_instructions = {}\ninstructions = {}\nstack_octets = {}\n\n[helper_calls]\n",
        with_room(costs.verified_instructions, 60),
        with_room(costs.instructions, 5),
        costs.stack_octets,
    );
    for (name, count) in &costs.helper_calls {
        writeln!(text, "{name} = {count}").expect("memory");
    }
    text
}

// Operation codes (RFC 9669).
const CLASS: u8 = 0x07;
const CLASS_LOAD: u8 = 0x01;
const CLASS_STORE: u8 = 0x02;
const CLASS_STORE_REGISTER: u8 = 0x03;
const CALL: u8 = 0x85;
const MOVE_REGISTER: u8 = 0xbf;
const ADD_IMMEDIATE: u8 = 0x07;
const FRAME_POINTER: u8 = 10;

/// The name of the helper that an instruction calls; none if it calls none, or looks something up in a map.
fn helper(instruction: &bpf_insn) -> Option<String> {
    use bpf_func_id::*;
    const NAMED: [bpf_func_id; 17] = [
        BPF_FUNC_fib_lookup,
        BPF_FUNC_redirect,
        BPF_FUNC_ktime_get_ns,
        BPF_FUNC_ktime_get_coarse_ns,
        BPF_FUNC_jiffies64,
        BPF_FUNC_get_prandom_u32,
        BPF_FUNC_get_smp_processor_id,
        BPF_FUNC_tail_call,
        BPF_FUNC_csum_diff,
        BPF_FUNC_xdp_adjust_head,
        BPF_FUNC_xdp_adjust_tail,
        BPF_FUNC_xdp_load_bytes,
        BPF_FUNC_xdp_store_bytes,
        BPF_FUNC_ringbuf_discard,
        BPF_FUNC_ringbuf_output,
        BPF_FUNC_ringbuf_reserve,
        BPF_FUNC_ringbuf_submit,
    ];
    if instruction.code != CALL || instruction.src_reg() != 0 {
        return None;
    }
    if instruction.imm == BPF_FUNC_map_lookup_elem as i32 {
        return None;
    }
    let named = NAMED.into_iter().find(|id| *id as i32 == instruction.imm);
    Some(named.map_or_else(
        || format!("helper_{}", instruction.imm),
        |id| format!("{id:?}").trim_start_matches("BPF_FUNC_").to_owned(),
    ))
}

/// Octets of stack that a function reaches: as far below its frame pointer as it reads, writes, or hands out pointers to.
fn stack(instructions: &[bpf_insn]) -> u32 {
    let mut deepest = 0;
    let mut copies = [None::<i32>; 16];
    for instruction in instructions {
        let (to, from) = (instruction.dst_reg(), instruction.src_reg());
        let at_frame = match instruction.code & CLASS {
            CLASS_LOAD => from == FRAME_POINTER,
            CLASS_STORE | CLASS_STORE_REGISTER => to == FRAME_POINTER,
            _ => false,
        };
        if at_frame {
            deepest = deepest.min(i32::from(instruction.off));
        }
        let copy = &mut copies[usize::from(to)];
        match instruction.code {
            MOVE_REGISTER if from == FRAME_POINTER => *copy = Some(0),
            ADD_IMMEDIATE => {
                *copy = copy.map(|offset| offset + instruction.imm);
                deepest = deepest.min(copy.unwrap_or(0));
            }
            code if matches!(code & CLASS, CLASS_STORE | CLASS_STORE_REGISTER) => {}
            _ => *copy = None,
        }
    }
    deepest.unsigned_abs()
}

#[test]
fn budgets_are_compared_by_number() {
    let costs = |verified, calls: &[(&str, u32)]| Costs {
        verified_instructions: verified,
        helper_calls: calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        ..Costs::default()
    };
    let budget = costs(100, &[("xdp_adjust_head", 1)]);
    assert!(over(&costs(100, &[("xdp_adjust_head", 1)]), &budget).is_empty());
    assert!(over(&costs(1, &[]), &budget).is_empty());
    assert_eq!(over(&costs(101, &[]), &budget), ["verified instructions: 101, and may be 100"]);
    assert_eq!(over(&costs(1, &[("ktime_get_ns", 1)]), &budget), ["calls of ktime_get_ns: 1, and may be 0"]);
    let written = raised(&costs(33_333, &[("tail_call", 2)]));
    let read = read(&written);
    assert_eq!((read.verified_instructions, read.helper_calls["tail_call"]), (54_000, 2));
    assert!(written.starts_with('#'), "the comments stay");
}

#[test]
fn stack_and_calls_are_read_off_the_instructions() {
    let instruction = |code: u8, to: u8, from: u8, off: i16, imm: i32| {
        let mut instruction =
            bpf_insn { code, _bitfield_align_1: [], _bitfield_1: Default::default(), off, imm };
        instruction.set_dst_reg(to);
        instruction.set_src_reg(from);
        instruction
    };
    let program = [
        // *(u64 *)(r10 - 8) = r1; r2 = r10; r2 += -24; call xdp_adjust_head; call a function of its own
        instruction(0x7b, FRAME_POINTER, 1, -8, 0),
        instruction(MOVE_REGISTER, 2, FRAME_POINTER, 0, 0),
        instruction(ADD_IMMEDIATE, 2, 0, 0, -24),
        instruction(CALL, 0, 0, 0, 44),
        instruction(CALL, 0, 1, 0, 44),
    ];
    assert_eq!(stack(&program), 24);
    assert_eq!(program.iter().filter_map(helper).collect::<Vec<_>>(), ["xdp_adjust_head"]);
}
