//! The queries of steps, where the program was built with them.

#[cfg(feature = "sql")]
pub(super) use with::{gather, select};
#[cfg(not(feature = "sql"))]
pub(super) use without::{gather, select};

#[cfg(feature = "sql")]
mod with {
    use glovebox_core::{QueryProblem, Schema, Selection};
    use glovebox_manifest::model;
    pub(in super::super) use glovebox_sql::select;

    pub(in super::super) fn gather(
        query: &str,
        room: model::Room,
        input: &Schema,
        tables: &[(&str, Schema)],
    ) -> Result<Selection, QueryProblem> {
        let room = glovebox_sql::Room {
            memory: room.memory,
            disk: room.spill,
            folder: std::env::temp_dir(),
        };
        glovebox_sql::gather(query, input, tables, room)
    }
}

#[cfg(not(feature = "sql"))]
mod without {
    use glovebox_core::{Limits, QueryProblem, Schema, Selection};
    use glovebox_manifest::model;

    pub(in super::super) fn select(
        _: &str,
        _: &Schema,
        _: &Limits,
    ) -> Result<Selection, QueryProblem> {
        Err(refused())
    }

    pub(in super::super) fn gather(
        _: &str,
        _: model::Room,
        _: &Schema,
        _: &[(&str, Schema)],
    ) -> Result<Selection, QueryProblem> {
        Err(refused())
    }

    fn refused() -> QueryProblem {
        QueryProblem {
            message: crate::without::SQL.refusal(),
            help: None,
            at: None,
        }
    }
}
