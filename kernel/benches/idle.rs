//! Measures what an idle connection costs: user memory of this process for each of many that are
//! open and say nothing. Both ends live here, so the figure for one end is half of what is
//! measured.

use peers_kernel::{Address, Cont, Handle, Input, Kernel, Outlet, Stream, Wait};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Connections, within the limit of descriptors: each takes two.
const MOST: usize = 9_000;

/// Resident memory of this process that no file backs, in bytes.
fn resident() -> io::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    let kib: usize = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    Ok(kib * 1024)
}

fn dial(handle: &Handle, to: &Address, keep: &Rc<RefCell<Vec<Outlet>>>) {
    let keep = keep.clone();
    let dialled = move |outcome: io::Result<Stream>| match outcome {
        Ok(stream) => {
            // As real handlers do, this one owns something.
            let own = keep.clone();
            keep.borrow_mut().push(stream.start(move |_, _| drop(own.clone())))
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
    let mut open_to = |count: usize| -> io::Result<()> {
        while outlets.borrow().len() < count {
            let missing = count - outlets.borrow().len();
            for _ in 0..missing.min(100) {
                dial(&handle, listener.address(), &outlets);
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
    Ok(())
}
