//! When probes start, as endpoints see it (H-7). Only what must not be earlier is asserted: a busy machine may be late.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

/// Waits until there are so many, and takes them.
async fn collected<T: Clone>(seen: &Mutex<Vec<T>>, count: usize) -> Vec<T> {
    loop {
        let so_far = seen.lock().unwrap().clone();
        if so_far.len() >= count {
            return so_far;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_probe_starts_an_interval_after_the_one_before_has_ended_h7() {
    const INTERVAL: Duration = Duration::from_millis(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let pauses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = pauses.clone();
    tokio::spawn(async move {
        let mut answered: Option<Instant> = None;
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(answered) = answered {
                seen.lock().unwrap().push(answered.elapsed());
            }
            let _ = stream.read(&mut [0; 1024]).await;
            // Longer than the interval: were it counted from the start, the next probe would be due already.
            tokio::time::sleep(2 * INTERVAL).await;
            answered = Some(Instant::now());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    });
    let check = EndpointCheck { interval: INTERVAL, ..probing(port) };
    let _node = Node::start(vec![declared("a", CheckKind::Endpoint(check))], None);
    for pause in collected(&pauses, 5).await {
        assert!(pause >= INTERVAL, "{pause:?}");
    }
}

#[tokio::test]
async fn first_probes_are_spread_over_the_interval_h7() {
    const INTERVAL: Duration = Duration::from_secs(2);
    const CHECKS: usize = 200;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let starts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = starts.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            seen.lock().unwrap().push(Instant::now());
            held.push(stream);
        }
    });
    // Each is probed once: nobody answers, and patience is long.
    let checks = (0..CHECKS).map(|at| {
        let check = EndpointCheck { interval: INTERVAL, ..probing(port) };
        declared(&at.to_string(), CheckKind::Endpoint(check))
    });
    let _node = Node::start(checks.collect(), None);
    let starts = collected(&starts, CHECKS).await;
    let spread = *starts.iter().max().unwrap() - *starts.iter().min().unwrap();
    // That two hundred random starts all fall into half of the interval happens once in 10⁵⁸ times.
    assert!(spread > INTERVAL / 2, "{spread:?}");
}
