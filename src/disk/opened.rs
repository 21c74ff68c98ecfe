//! An open database, and how it is held for a use.

use std::ops::Deref;
use std::path::Path;
use std::sync::RwLockReadGuard;

use rocksdb::{Cache, ColumnFamily, ColumnFamilyDescriptor, DB};

use super::format::{Family, Malformed, RecordKey};
use super::journal::{JournalKey, Position};
use super::marks::{MARK, Marks};
use super::overlay::Overlay;
use super::{DiskOptions, OpenError, ReadError};

/// A database that is open: for all, or only to be read.
pub struct Opened {
    db: DB,
    /// There if it is only read.
    pub(super) only_read: Option<OnlyRead>,
}

/// What a database has that is only read.
pub(super) struct OnlyRead {
    /// What the journal has: no checkpoint brings it to its families.
    pub(super) overlay: Overlay,
    /// Why nothing can be written.
    pub(super) reason: String,
}

impl Opened {
    /// Opens the database in `dir`; makes it, if that is said.
    ///
    /// # Errors
    /// RocksDB cannot open it, or a part of it is damaged.
    pub fn to_write(
        dir: &Path,
        options: &DiskOptions,
        cache: &Cache,
        make: bool,
    ) -> Result<Opened, OpenError> {
        options.start_compacting_threads();
        let mut database = options.database();
        database.create_if_missing(make);
        database.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&database, dir, families(options, cache))?;
        Ok(Opened { db, only_read: None })
    }

    /// Opens the database in `dir` for reading, and touches nothing there. What is only in the journal is seen after
    /// [`Opened::read_journal`].
    ///
    /// # Errors
    /// The same, or it has a family that is not one of this version.
    pub fn to_read(dir: &Path, options: &DiskOptions, cache: &Cache) -> Result<Opened, OpenError> {
        let database = options.database_to_read();
        let found = DB::list_cf(&database, dir)?;
        let is_known = |name: &String| Family::ALL.iter().any(|family| family.name() == name);
        if let Some(name) = found.iter().find(|name| !is_known(name)) {
            return Err(OpenError::Foreign(format!(
                "it has an unknown column family '{name}'"
            )));
        }
        // One that an earlier version made may lack some.
        let is_there = |family: &ColumnFamilyDescriptor| found.iter().any(|name| name == family.name());
        let families = families(options, cache).into_iter().filter(is_there);
        let db = DB::open_cf_descriptors_read_only(&database, dir, families, false)?;
        Ok(Opened { db, only_read: None })
    }

    /// Why nothing can be written, if so.
    pub fn why_only_read(&self) -> Option<&str> {
        self.only_read.as_ref().map(|only_read| &only_read.reason[..])
    }

    /// Empties a family without reading it. A crash in between leaves a store without it, which opening makes again.
    ///
    /// # Errors
    /// RocksDB cannot change the families.
    pub fn renew(&mut self, family: Family, options: &DiskOptions, cache: &Cache) -> Result<(), OpenError> {
        self.db.drop_cf(family.name())?;
        self.db.create_cf(family.name(), &options.family(family, cache))?;
        Ok(())
    }

    /// What stands in front of the families, if they are only read.
    pub fn overlay(&self) -> Option<&Overlay> {
        self.only_read.as_ref().map(|only_read| &only_read.overlay)
    }

    /// A family of a database that is open for all.
    pub fn cf(&self, family: Family) -> &ColumnFamily {
        // Every family is named when the store is opened for writing, and none is dropped.
        self.find_cf(family)
            .unwrap_or_else(|| unreachable!("family {family:?}"))
    }

    /// `None`: the store is only read, and an earlier version made it without that family.
    pub fn find_cf(&self, family: Family) -> Option<&ColumnFamily> {
        self.db.cf_handle(family.name())
    }

    /// One record.
    ///
    /// # Errors
    /// It cannot be read, or a block of it is damaged.
    pub fn read(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        if let Some(found) = self.overlay().and_then(|overlay| overlay.get(key)) {
            return Ok(found.clone());
        }
        let family = self.find_cf(key.family());
        Ok(family.map_or(Ok(None), |family| self.db.get_cf(family, key.key()))?)
    }

    /// Up to where each family has what was in the journal; for the journal itself, up to where nothing is left of it.
    ///
    /// # Errors
    /// A mark cannot be read, or makes no sense.
    pub fn marks(&self) -> Result<Marks, ReadError> {
        let mut marks = [Position::NONE; Family::ALL.len()];
        for family in Family::JOURNALED.into_iter().chain([Family::Journal]) {
            if let Some(mark) = self.read(&RecordKey::new(family, MARK))? {
                let number = mark.first_chunk().ok_or(Malformed("mark of a family"))?;
                marks[family as usize] = Position::from_be_bytes(*number);
            }
        }
        Ok(marks)
    }

    /// The marks that families had, by their numbers, when the journal's own was written: lower ones mean that tables are
    /// missing which a family had taken in.
    ///
    /// # Errors
    /// The journal's mark cannot be read.
    pub fn marks_that_were(&self) -> Result<Marks, ReadError> {
        let mut marks = [Position::NONE; Family::ALL.len()];
        if let Some(mark) = self.read(&RecordKey::new(Family::Journal, MARK))? {
            let numbers = mark.get(JournalKey::LENGTH..).unwrap_or_default().chunks_exact(8);
            for (mark, number) in marks.iter_mut().zip(numbers) {
                *mark = number.try_into().map_or(Position::NONE, Position::from_be_bytes);
            }
        }
        Ok(marks)
    }

    /// A property of RocksDB, 0 where it has none of that name.
    pub fn property(&self, family: Family, name: &str) -> u64 {
        let property = |family| self.db.property_int_value_cf(family, name).ok().flatten();
        self.find_cf(family).and_then(property).unwrap_or(0)
    }
}

impl Deref for Opened {
    type Target = DB;

    fn deref(&self) -> &DB {
        &self.db
    }
}

fn families(options: &DiskOptions, cache: &Cache) -> [ColumnFamilyDescriptor; Family::ALL.len()] {
    Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), options.family(family, cache)))
}

/// A [`Guard`] of one's own, or someone's: who holds one must not wait for another.
pub enum Held<'d> {
    /// Let go with this.
    Own(Guard<'d>),
    /// Somebody else's, who holds it for longer.
    Shared(&'d Guard<'d>),
}

impl<'d> Deref for Held<'d> {
    type Target = Guard<'d>;

    fn deref(&self) -> &Guard<'d> {
        match self {
            Held::Own(guard) => guard,
            Held::Shared(guard) => guard,
        }
    }
}

/// The open database; held for one use.
pub struct Guard<'d>(RwLockReadGuard<'d, Option<Opened>>);

impl<'d> Guard<'d> {
    /// `None`: it is closed.
    pub fn of(opened: RwLockReadGuard<'d, Option<Opened>>) -> Option<Guard<'d>> {
        opened.is_some().then_some(Guard(opened))
    }
}

impl Deref for Guard<'_> {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        self.0
            .as_ref()
            .unwrap_or_else(|| unreachable!("a guard is made of an open database only"))
    }
}
