//! One row group of a file, in the form that the `parquet` crate requests.

use std::iter::once;
use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;

use super::file::{Opened, rows};
use super::pages::{Opening, Refusals};
use super::unpack::Codec;

/// A row group.
pub(super) struct Group<'a> {
    pub(super) opened: &'a Opened,
    /// Its place in the file.
    pub(super) number: usize,
    pub(super) meta: &'a RowGroupMetaData,
    pub(super) refusals: Refusals,
}

impl RowGroups for Group<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(rows(self.meta)).unwrap_or(usize::MAX)
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let column = self.meta.columns().get(leaf);
        let column = column.ok_or_else(|| ParquetError::General("no such column".into()))?;
        let codec = Codec::of(column.compression());
        let no_place = || ParquetError::General("no such place".into());
        let sealed = match &self.opened.sealed {
            Some(sealed) if column.crypto_metadata().is_some() => {
                let spot = self.opened.spot(self.number, leaf).ok_or_else(no_place)?;
                let has_dictionary = column.dictionary_page_offset().is_some();
                Some((Arc::clone(sealed), spot, has_dictionary))
            }
            _ => None,
        };
        let opening = Opening { codec, sealed };
        let region = Arc::new(self.opened.region(opening, self.refusals.clone()));
        // What is unpacked here the crate takes as it is.
        let ours = codec.map(|_| column.clone().into_builder());
        let ours = ours.map(|column| column.set_compression(Compression::UNCOMPRESSED).build());
        let ours = ours.transpose()?;
        let column = ours.as_ref().unwrap_or(column);
        let pages = SerializedPageReader::new(region, column, self.num_rows(), None)?;
        Ok(Box::new(OneChunk(Some(Box::new(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(once(self.meta))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.opened.metadata
    }
}

/// The pages of a column in one row group.
struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}
