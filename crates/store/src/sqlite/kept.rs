//! Sealed texts in SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::{Sqlite, signed};
use crate::{KeptStore, Sealed, StoreError};

#[async_trait]
impl KeptStore for Sqlite {
    async fn keep_sealed(&self, sealed: Sealed, now_ms: u64) -> Result<(), StoreError> {
        let keep = move |connection: &mut Connection| {
            connection
                .prepare_cached("DELETE FROM kept WHERE until_ms <= ?1")?
                .execute([signed(now_ms)])?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO kept (name, sealed, until_ms) VALUES (?1, ?2, ?3)")?
                .execute((sealed.name, sealed.bytes, signed(sealed.until_ms)))?;
            Ok(())
        };
        self.writer.run(keep).await
    }

    async fn sealed(&self, name: &[u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let name = *name;
        let find = move |connection: &mut Connection| {
            let mut statement =
                connection.prepare_cached("SELECT sealed FROM kept WHERE name = ?1 AND until_ms > ?2")?;
            Ok(statement
                .query_row((name, signed(now_ms)), |row| row.get(0))
                .optional()?)
        };
        self.reader.run(find).await
    }
}
