use std::ops::{Bound, ControlFlow};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use tempfile::TempDir;

use super::*;
use crate::chapp::store::{Order, Table};
use crate::wire::random::Random;

/// A directory with a database in it, of so many messages.
fn filled(messages: u32) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut book = Book::open(place.path()).unwrap();
    for number in 0..messages {
        put(&mut book, Table::Messages, &number.to_be_bytes(), &[b'm'; 700]).unwrap();
    }
    place
}

fn put(book: &mut Book, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    book.transact(&mut |tables| tables.put(table, key, value))
}

fn value(book: &mut Book, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    book.transact(&mut |tables| {
        value = tables.value(table, key)?;
        Ok(())
    })
    .unwrap();
    value
}

fn range(book: &mut Book, table: Table, order: Order, most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    book.transact(&mut |tables| {
        tables.range(table, b"b"..b"e", order, &mut |key, value| {
            seen.push((key.to_vec(), value.to_vec()));
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    })
    .unwrap();
    seen
}

fn refused(place: &TempDir) -> String {
    match Book::open(place.path()) {
        Ok(_) => panic!("it opened"),
        Err(failure) => {
            assert_eq!(failure.exit, Exit::Failed);
            failure.message
        }
    }
}

fn database(place: &TempDir) -> PathBuf {
    place.path().join(NAME)
}

#[test]
fn what_was_put_is_there_after_it_was_opened_again() {
    let place = tempfile::tempdir().unwrap();
    let mut book = Book::open(place.path()).unwrap();
    for (key, text) in [("a", "1"), ("b", "2"), ("c", ""), ("d", "4"), ("e", "5")] {
        put(&mut book, Table::Names, key.as_bytes(), text.as_bytes()).unwrap();
    }
    put(&mut book, Table::Seen, b"c", b"another table").unwrap();
    for _ in 0..2 {
        let entry = |key: &str, text: &str| (key.as_bytes().to_vec(), text.as_bytes().to_vec());
        let [b, c, d] = [entry("b", "2"), entry("c", ""), entry("d", "4")];
        assert_eq!(range(&mut book, Table::Names, Order::Rising, 9), [b.clone(), c.clone(), d.clone()]);
        assert_eq!(range(&mut book, Table::Names, Order::Falling, 9), [d.clone(), c.clone(), b]);
        assert_eq!(range(&mut book, Table::Names, Order::Falling, 2), [d, c]);
        assert_eq!(value(&mut book, Table::Names, b"a"), Some(b"1".to_vec()));
        assert_eq!(value(&mut book, Table::Names, b"f"), None);
        drop(book);
        book = Book::open(place.path()).unwrap();
    }
    book.transact(&mut |tables| {
        tables.remove(Table::Names, b"a")?;
        tables.remove(Table::Names, b"never there")
    })
    .unwrap();
    assert_eq!(value(&mut book, Table::Names, b"a"), None);
}

#[test]
fn of_what_fails_nothing_stays() {
    let place = filled(1);
    let mut book = Book::open(place.path()).unwrap();
    let failed = book.transact(&mut |tables| {
        tables.put(Table::Names, b"a", b"1")?;
        assert_eq!(tables.value(Table::Names, b"a")?, Some(b"1".to_vec()));
        Err(StoreError("for a reason of its own".to_owned()))
    });
    assert_eq!(failed.unwrap_err().to_string(), "for a reason of its own");
    assert_eq!(value(&mut book, Table::Names, b"a"), None);
    put(&mut book, Table::Names, b"a", b"2").unwrap();
    assert_eq!(value(&mut book, Table::Names, b"a"), Some(b"2".to_vec()));
}

#[test]
fn who_only_reads_writes_nothing() {
    let place = filled(10);
    let mut book = Book::open(place.path()).unwrap();
    put(&mut book, Table::Names, b"a", b"1").unwrap();
    let before = fs::read(database(&place)).unwrap();
    for _ in 0..100 {
        value(&mut book, Table::Names, b"a");
    }
    assert!(fs::read(database(&place)).unwrap() == before);
}

#[test]
fn the_file_is_for_nobody_else() {
    let place = filled(1);
    assert_eq!(database(&place).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn one_daemon_at_a_time_has_it_open() {
    let place = tempfile::tempdir().unwrap();
    assert_eq!(Book::examine(place.path()).unwrap(), "not there yet");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    let mut book = Book::open(place.path()).unwrap();
    assert!(refused(&place).contains("chapp.redb is in use: end the other daemon"));
    assert_eq!(Book::examine(place.path()).unwrap(), "in use by another daemon, and not looked at");
    put(&mut book, Table::Names, b"a", b"1").unwrap();
    drop(book);
    assert_eq!(Book::examine(place.path()).unwrap(), "whole");
    Book::open(place.path()).unwrap();
}

#[test]
fn what_was_begun_and_not_finished_is_begun_anew() {
    for left in [&b""[..], b"half a database"] {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("chapp.redb.new"), left).unwrap();
        fs::write(database(&place), b"").unwrap();
        assert_eq!(Book::examine(place.path()).unwrap(), "not there yet");
        let mut book = Book::open(place.path()).unwrap();
        put(&mut book, Table::Names, b"a", b"1").unwrap();
        drop(book);
        assert_eq!(value(&mut Book::open(place.path()).unwrap(), Table::Names, b"a"), Some(b"1".to_vec()));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_is_no_database_of_ours_is_told_of_and_left_as_it_is() {
    let other_format = |path: &Path| {
        let database = redb::Database::create(path).unwrap();
        let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        let transaction = database.begin_write().unwrap();
        transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
        transaction.commit().unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let table: [(Make<'_>, &str); 4] = [
        (&|path| fs::write(path, "some text").unwrap(), "is damaged, and was left as it is"),
        (&|path| fs::write(path, [0; 100_000]).unwrap(), "is damaged, and was left as it is"),
        (&|path| drop(redb::Database::create(path).unwrap()), "it is not one of this program's"),
        (&other_format, "it has the format 2, and this program knows the format 1 only"),
    ];
    for (make, expected) in table {
        let place = tempfile::tempdir().unwrap();
        make(&database(&place));
        let before = fs::read(database(&place)).unwrap();
        let message = refused(&place);
        assert!(message.contains(expected), "{message}");
        assert!(Book::examine(place.path()).unwrap_err().message == message);
        assert!(fs::read(database(&place)).unwrap() == before);
    }
}

/// Wherever a file is damaged: it is told of, or all is there that ever was. It is never overwritten, and never followed.
#[test]
fn a_damaged_database_is_told_of_and_left_as_it_is() {
    let place = filled(200);
    let path = database(&place);
    let closed = fs::read(&path).unwrap();
    let mut book = Book::open(place.path()).unwrap();
    put(&mut book, Table::Messages, &199_u32.to_be_bytes(), b"the last").unwrap();
    // As it is when the daemon is killed.
    let killed = fs::read(&path).unwrap();
    drop(book);
    let mut random = Random::new(5);
    for (whole, last) in [(closed, &[b'm'; 700][..]), (killed, b"the last")] {
        let mut told = 0;
        for round in 0..120 {
            let damaged = damage(&whole, round, &mut random);
            fs::write(&path, &damaged).unwrap();
            let examined = Book::examine(place.path());
            assert!(fs::read(&path).unwrap() == damaged);
            if let Err(failure) = examined {
                told += 1;
                assert_eq!(refused(&place), failure.message);
                assert!(fs::read(&path).unwrap() == damaged);
                continue;
            }
            let mut book = Book::open(place.path()).unwrap();
            for number in 0..199_u32 {
                let message = value(&mut book, Table::Messages, &number.to_be_bytes());
                assert!(message.is_some_and(|message| message == [b'm'; 700]), "{number} in round {round}");
            }
            let message = value(&mut book, Table::Messages, &199_u32.to_be_bytes());
            assert_eq!(message.as_deref(), Some(last), "round {round}");
            put(&mut book, Table::Names, b"c", &[1; 5000]).unwrap();
            assert_eq!(range(&mut book, Table::Names, Order::Rising, 9).len(), 1);
        }
        assert!(told > 60, "{told}");
    }
}

fn damage(whole: &[u8], round: u32, random: &mut Random) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    match round % 4 {
        // The beginning tells where everything is.
        0 => damaged[random.below(320)] ^= 1 << random.below(8),
        1 => damaged.truncate(random.below(whole.len())),
        2 => {
            let start = random.below(whole.len());
            let end = whole.len().min(start + 4096);
            damaged[start..end].fill(random.byte());
        }
        _ => {
            let at = random.below(whole.len());
            damaged[at] ^= 1 << random.below(8);
        }
    }
    damaged
}

#[test]
fn a_daemon_that_was_killed_leaves_a_database_that_opens() {
    let place = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let mut book = Book::open(place.path()).unwrap();
    for number in 0..50_u32 {
        put(&mut book, Table::Messages, &number.to_be_bytes(), &[7; 3000]).unwrap();
        // As it is on the disk now: nobody has closed it.
        fs::copy(database(&place), database(&copy)).unwrap();
        let before = fs::read(database(&copy)).unwrap();
        assert_eq!(Book::examine(copy.path()).unwrap(), "whole");
        assert!(fs::read(database(&copy)).unwrap() == before);
        let mut copied = Book::open(copy.path()).unwrap();
        assert_eq!(value(&mut copied, Table::Messages, &number.to_be_bytes()), Some(vec![7; 3000]));
    }
}

#[test]
fn a_database_that_fails_is_read_until_it_can_be_written_again() {
    let place = filled(3);
    let path = database(&place);
    let mut book = Book::open(place.path()).unwrap();
    let fail = |book: &mut Book| book.state = State::ailing("the disk is full".to_owned(), Duration::ZERO);
    fail(&mut book);
    assert_eq!(value(&mut book, Table::Messages, &1_u32.to_be_bytes()), Some(vec![b'm'; 700]));
    let before = fs::read(&path).unwrap();
    assert_eq!(put(&mut book, Table::Names, b"a", b"1").unwrap_err().to_string(), "the disk is full");
    assert!(fs::read(&path).unwrap() == before);
    let State::Ailing { again, .. } = &mut book.state else { panic!() };
    *again = Instant::now();
    put(&mut book, Table::Names, b"a", b"1").unwrap();
    assert_eq!(value(&mut book, Table::Names, b"a"), Some(b"1".to_vec()));
    // While it cannot even be read, everything is told why.
    drop(book);
    let mut book = Book::open(place.path()).unwrap();
    fail(&mut book);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut magic = [0; 9];
    fs::File::open(&path).unwrap().read_exact_at(&mut magic, 0).unwrap();
    file.write_all_at(&[0; 9], 0).unwrap();
    assert_eq!(book.transact(&mut |_| Ok(())).unwrap_err().to_string(), "the disk is full");
    let State::Ailing { again, .. } = &mut book.state else { panic!() };
    *again = Instant::now();
    let told = book.transact(&mut |_| Ok(())).unwrap_err().to_string();
    assert!(told.starts_with("the database is damaged: "), "{told}");
    file.write_all_at(&magic, 0).unwrap();
    let State::Ailing { again, .. } = &mut book.state else { panic!() };
    *again = Instant::now();
    assert_eq!(value(&mut book, Table::Names, b"a"), Some(b"1".to_vec()));
}

/// A file of which nothing becomes durable any more when it is told so, though it is all to be seen.
#[derive(Debug)]
struct Unsteady {
    file: FileBackend,
    fails: Arc<AtomicBool>,
}

impl StorageBackend for Unsteady {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk has failed"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[test]
fn what_could_not_be_made_durable_is_not_there_later() {
    let place = filled(3);
    let path = database(&place);
    let fails = Arc::new(AtomicBool::new(false));
    let file = FileBackend::new(fs::File::options().read(true).write(true).open(&path).unwrap()).unwrap();
    let unsteady = Unsteady { file, fails: Arc::clone(&fails) };
    let opened = redb::Builder::new().create_with_backend(unsteady).unwrap();
    let mut book = Book { path, state: State::Open(opened) };
    put(&mut book, Table::Names, b"b", b"1").unwrap();
    fails.store(true, Ordering::Relaxed);
    let refused = put(&mut book, Table::Names, b"c", b"2").unwrap_err().to_string();
    assert!(refused.contains("the disk has failed"), "{refused}");
    let entry = |key: &str, text: &str| (key.as_bytes().to_vec(), text.as_bytes().to_vec());
    let [b, d] = [entry("b", "1"), entry("d", "3")];
    // It is read, then opened again, and then by another daemon.
    assert_eq!(range(&mut book, Table::Names, Order::Rising, 9), std::slice::from_ref(&b));
    let State::Ailing { again, .. } = &mut book.state else { panic!() };
    *again = Instant::now();
    assert_eq!(range(&mut book, Table::Names, Order::Rising, 9), std::slice::from_ref(&b));
    put(&mut book, Table::Names, b"d", b"3").unwrap();
    drop(book);
    let mut book = Book::open(place.path()).unwrap();
    assert_eq!(range(&mut book, Table::Names, Order::Rising, 9), [b, d]);
}
