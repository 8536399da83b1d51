//! What an idle connection costs: user memory of this process for each of many that are open and say nothing. Both ends
//! live here, so the figure for one end is half of what is measured; and what a round trip costs while they are there.

mod harness;

use harness::timed;
use peers_kernel::{Address, Cont, Handle, Input, Kernel, Outlet, Stream, Wait};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// Connections, within the limit of descriptors: each takes two.
const MOST: usize = 9_000;
const TRIPS: u32 = 20_000;

/// Resident memory of this process that no file backs, in bytes.
fn resident() -> io::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    let kib: usize = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    Ok(kib * 1024)
}

fn dial(handle: &Handle, to: &Address, keep: &Rc<RefCell<Vec<Outlet>>>, heard: &Rc<Cell<u32>>) {
    let (keep, heard) = (keep.clone(), heard.clone());
    let dialled = move |outcome: io::Result<Stream>| match outcome {
        Ok(stream) => {
            let hear = move |_: &Outlet, _: Input<'_>| heard.set(heard.get() + 1);
            keep.borrow_mut().push(stream.start(hear))
        }
        Err(error) => panic!("{error}"),
    };
    handle.connect(to, Cont::new(handle, dialled));
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let echo = |stream: Stream| {
        stream.start(|outlet, input| {
            if let Input::Bytes(bytes) = input {
                outlet.write(bytes).ok();
            }
        });
    };
    let listener = handle.listen(&"inet:127.0.0.1:0".parse()?, echo)?;
    let limit = handle.descriptor_limit().unwrap_or(1_000);
    let count = MOST.min((limit - 50) / 2);
    let outlets: Rc<RefCell<Vec<Outlet>>> = Rc::default();
    let heard = Rc::new(Cell::new(0));
    let mut open_to = |count: usize| -> io::Result<()> {
        while outlets.borrow().len() < count {
            let missing = count - outlets.borrow().len();
            for _ in 0..missing.min(100) {
                dial(&handle, listener.address(), &outlets, &heard);
            }
            let wanted = outlets.borrow().len() + missing.min(100);
            while outlets.borrow().len() < wanted {
                kernel.turn(Wait::No)?;
            }
        }
        Ok(())
    };
    // The first ones pay for buffers and tables.
    let warm = 200;
    open_to(warm)?;
    let before = resident()?;
    open_to(count)?;
    let each = (resident()? - before) / (count - warm) / 2;
    println!(
        "{:<44} {each:>8} bytes   target < 300",
        format!("idle connection, one end of {count}")
    );

    let outlet = outlets.borrow()[0].clone();
    let took = timed(|| {
        for trip in 0..TRIPS {
            outlet.write(&[0; 64]).ok();
            while heard.get() <= trip {
                kernel.turn(Wait::Idle).ok();
            }
        }
    });
    let nanos = took.as_nanos() / u128::from(TRIPS);
    println!("{:<44} {nanos:>8} ns", "round trip beside them, both ends in one loop");
    Ok(())
}
