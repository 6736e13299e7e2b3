//! Contract 0.1: every call from the host into a plugin, and how batches get there and back.

mod bindings;
mod check;
mod lift;
pub(crate) mod linker;
mod lower;

use glovebox_core::shown::{MAX_NAME_LEN, printable, printable_lines};
use glovebox_core::{
    About, Announced, Answer, Batch, DataType, Fault, Field, Grants, PluginError, Rule, World,
};
use wasmtime::component::{self, InstancePre, ResourceAny};

use self::bindings::exports::glovebox::plugin::{masker, plugin, transformer, validator};
use self::bindings::glovebox::plugin::columns;
use crate::component::misfit;
use crate::guest::Guest;
use crate::state::State;

/// The longest text that a plugin may say of itself: its documentation or its schema.
const MAX_TEXT_LEN: usize = 256 << 10;
/// The longest name or message of a rule, or line that a plugin says of itself.
const MAX_LINE_LEN: usize = 1 << 10;
/// The most rules that a validator may announce.
const MAX_RULES: usize = 10_000;

/// An opened resource of a plugin, of one of the three worlds.
pub(crate) enum Session {
    Validator(validator::Guest, ResourceAny),
    Masker(masker::Guest, ResourceAny),
    Transformer(transformer::Guest, ResourceAny),
}

/// Instantiates a plugin and runs its start-up code.
async fn start(
    pre: &InstancePre<State>,
    store: &mut wasmtime::Store<State>,
) -> wasmtime::Result<component::Instance> {
    let instance = pre.instantiate_async(&mut *store).await?;
    store.data_mut().started = true;
    Ok(instance)
}

pub(crate) fn describe(guest: &mut Guest) -> Result<About, PluginError> {
    let pre = guest.plugin().pre.clone();
    let world = guest.plugin().world;
    let described = guest.call("describe", async |mut store| {
        let instance = start(&pre, store).await?;
        match fitting(store, &pre, &instance, world) {
            Ok(plugin) => plugin.call_describe(&mut store).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    })?;
    let about = described.map_err(|error| {
        let plugin = guest.plugin();
        misfit(&plugin.shared, &plugin.name, &error)
    })?;
    let during = guest.during("describe");
    for text in [&about.documentation, &about.config_schema] {
        check::length(text, MAX_TEXT_LEN, &during)?;
    }
    for line in [&about.name, &about.version, &about.summary] {
        check::length(line, MAX_LINE_LEN, &during)?;
    }
    Ok(About {
        name: printable(&about.name),
        version: printable(&about.version),
        summary: printable(&about.summary),
        documentation: printable_lines(&about.documentation),
        config_schema: printable_lines(&about.config_schema),
    })
}

/// The interface `plugin` of an instance whose other exports, too, have the types of its world.
fn fitting(
    store: &mut wasmtime::Store<State>,
    pre: &InstancePre<State>,
    instance: &component::Instance,
    world: World,
) -> wasmtime::Result<plugin::Guest> {
    match world {
        World::Validator => {
            validator::GuestIndices::new(pre)?.load(&mut *store, instance)?;
        }
        World::Masker => {
            masker::GuestIndices::new(pre)?.load(&mut *store, instance)?;
        }
        World::Transformer => {
            transformer::GuestIndices::new(pre)?.load(&mut *store, instance)?;
        }
    }
    plugin::GuestIndices::new(pre)?.load(store, instance)
}

pub(crate) fn open(
    guest: &mut Guest,
    config: &str,
    grants: &Grants,
) -> Result<(Session, Announced), PluginError> {
    let mut granted = grants.fields.iter().chain(&grants.adds);
    if let Some(field) = granted.find(|f| f.data_type == DataType::Opaque) {
        return Err(PluginError::Refused {
            plugin: guest.plugin().name.clone(),
            problem: format!(
                "column `{}` is opaque, which the contract cannot represent; declare another type",
                field.name
            ),
        });
    }
    match guest.plugin().world {
        World::Validator => open_validator(guest, config, grants),
        World::Masker => open_masker(guest, config, grants),
        World::Transformer => open_transformer(guest, config, grants),
    }
}

fn open_validator(
    guest: &mut Guest,
    config: &str,
    grants: &Grants,
) -> Result<(Session, Announced), PluginError> {
    let pre = guest.plugin().pre.clone();
    let fields = lower::fields(&grants.fields);
    let (world, opened) = guest.call("open", async |mut store| {
        let indices = validator::GuestIndices::new(&pre)?;
        let instance = start(&pre, store).await?;
        let world = indices.load(&mut store, &instance)?;
        let opened = world.check().call_open(&mut store, config, &fields).await?;
        Ok((world, opened))
    })?;
    let check = opened.map_err(|e| refused(guest, &e))?;
    let rules = guest.call("rules", async |store| {
        world.check().call_rules(store, check).await
    })?;
    let rules = announced_rules(guest, grants, rules)?;
    Ok((Session::Validator(world, check), Announced::Rules(rules)))
}

fn open_masker(
    guest: &mut Guest,
    config: &str,
    grants: &Grants,
) -> Result<(Session, Announced), PluginError> {
    let pre = guest.plugin().pre.clone();
    let fields = lower::fields(&grants.fields);
    let masks = grants.masks.iter();
    let masks: Vec<u32> = masks.filter_map(|&m| u32::try_from(m).ok()).collect();
    let (world, opened) = guest.call("open", async |mut store| {
        let indices = masker::GuestIndices::new(&pre)?;
        let instance = start(&pre, store).await?;
        let world = indices.load(&mut store, &instance)?;
        let opened = world
            .mask()
            .call_open(&mut store, config, &fields, &masks)
            .await?;
        Ok((world, opened))
    })?;
    let mask = opened.map_err(|e| refused(guest, &e))?;
    let fields = guest.call("fields", async |store| {
        world.mask().call_fields(store, mask).await
    })?;
    let fields = lift::fields(fields, &guest.during("fields"))?;
    check::masked_fields(&fields, grants, &guest.during("fields"))?;
    let keeps = guest.call("keeps", async |store| {
        world.mask().call_keeps(store, mask).await
    })?;
    let keeps = check::keeps(keeps, grants, &guest.during("keeps"))?;
    Ok((
        Session::Masker(world, mask),
        Announced::Masked { fields, keeps },
    ))
}

fn open_transformer(
    guest: &mut Guest,
    config: &str,
    grants: &Grants,
) -> Result<(Session, Announced), PluginError> {
    let pre = guest.plugin().pre.clone();
    let fields = lower::fields(&grants.fields);
    let adds = lower::fields(&grants.adds);
    let (world, opened) = guest.call("open", async |mut store| {
        let indices = transformer::GuestIndices::new(&pre)?;
        let instance = start(&pre, store).await?;
        let world = indices.load(&mut store, &instance)?;
        let opened = world
            .transform()
            .call_open(&mut store, config, &fields, &adds)
            .await?;
        Ok((world, opened))
    })?;
    let transform = opened.map_err(|e| refused(guest, &e))?;
    let fields = guest.call("fields", async |store| {
        world.transform().call_fields(store, transform).await
    })?;
    let fields = lift::fields(fields, &guest.during("fields"))?;
    check::added_fields(&fields, grants, &guest.during("fields"))?;
    Ok((
        Session::Transformer(world, transform),
        Announced::Added(fields),
    ))
}

pub(crate) fn apply(
    guest: &mut Guest,
    session: &Session,
    batch: &Batch,
    grants: &Grants,
    announced: &Announced,
) -> Result<Answer, Fault> {
    let lowered = lower::Lowered::new(batch);
    let columns = lowered.columns();
    let passed = lowered.batch(&columns);
    match (session, announced) {
        (Session::Validator(world, check), Announced::Rules(rules)) => {
            let findings = guest.call("apply", async |store| {
                world.check().call_apply(store, *check, passed).await
            })?;
            let limit = guest.plugin().limits.findings;
            let during = guest.during("apply");
            check::findings(findings, rules.len(), batch.rows(), limit, &during)
                .map(Answer::Findings)
        }
        (Session::Masker(world, mask), Announced::Masked { fields, .. }) => {
            let masked = guest.call("apply", async |store| {
                world.mask().call_apply(store, *mask, passed).await
            })?;
            check::masked(masked, fields, grants, batch, &guest.during("apply")).map(Answer::Masked)
        }
        (Session::Transformer(world, transform), Announced::Added(fields)) => {
            let result = guest.call("apply", async |store| {
                world
                    .transform()
                    .call_apply(store, *transform, passed)
                    .await
            })?;
            check::transformed(result, fields, batch.rows(), &guest.during("apply"))
        }
        _ => Err(guest
            .during("apply")
            .breach("internal error: the host mixed up its worlds; please report it")),
    }
}

fn refused(guest: &Guest, error: &plugin::ConfigError) -> PluginError {
    // Cut first: no deadline runs while the host reads what may be megabytes.
    let cut = |text: &str| printable(&text.chars().take(MAX_LINE_LEN).collect::<String>());
    PluginError::Config {
        plugin: guest.plugin().name.clone(),
        path: cut(&error.path),
        message: cut(&error.message),
    }
}

fn announced_rules(
    guest: &Guest,
    grants: &Grants,
    rules: Vec<validator::Rule>,
) -> Result<Vec<Rule>, Fault> {
    let during = guest.during("rules");
    if rules.len() > MAX_RULES {
        return Err(during.breach(format_args!(
            "it announced {} rules; the limit is {MAX_RULES}",
            rules.len()
        )));
    }
    rules
        .into_iter()
        .map(|rule| {
            check::length(&rule.id, MAX_LINE_LEN, &during)?;
            check::length(&rule.message, MAX_LINE_LEN, &during)?;
            let column = rule.column.map(|c| c as usize);
            if column.is_some_and(|c| c >= grants.fields.len()) {
                return Err(during.breach("a rule is about a column that was not granted"));
            }
            Ok(Rule {
                id: shortened(&printable(&rule.id)).into(),
                column,
                message: printable(&rule.message).into(),
            })
        })
        .collect()
}

/// A name that stands in every reject of a rule, and in metrics.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_LEN) {
        None => name.to_owned(),
        Some(_) => {
            let start: String = name.chars().take(MAX_NAME_LEN - 1).collect();
            format!("{start}…")
        }
    }
}

fn lower_type(data_type: DataType) -> columns::DataType {
    match data_type {
        DataType::Boolean => columns::DataType::Boolean,
        DataType::Int64 => columns::DataType::Int64,
        DataType::Float64 => columns::DataType::Float64,
        DataType::Decimal { precision, scale } => {
            columns::DataType::Decimal(columns::DecimalType { precision, scale })
        }
        DataType::Text => columns::DataType::Text,
        // `open` has refused those that are opaque.
        DataType::Bytes | DataType::Opaque => columns::DataType::Bytes,
        DataType::Date => columns::DataType::Date,
        DataType::Timestamp => columns::DataType::Timestamp,
    }
}

fn lift_field(field: columns::FieldResult) -> Field {
    let data_type = match field.data_type {
        columns::DataType::Boolean => DataType::Boolean,
        columns::DataType::Int64 => DataType::Int64,
        columns::DataType::Float64 => DataType::Float64,
        columns::DataType::Decimal(d) => DataType::Decimal {
            precision: d.precision,
            scale: d.scale,
        },
        columns::DataType::Text => DataType::Text,
        columns::DataType::Bytes => DataType::Bytes,
        columns::DataType::Date => DataType::Date,
        columns::DataType::Timestamp => DataType::Timestamp,
    };
    Field {
        nullable: field.nullable,
        ..Field::new(field.name, data_type)
    }
}
