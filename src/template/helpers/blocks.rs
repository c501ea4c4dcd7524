//! The blocks of handlebars.js, in place of the crate's: those differ for `{}`, for 0, and for `@key` in lists.

use handlebars::{
    BlockContext, BlockParamHolder, Context, Handlebars, Helper as Call, HelperDef, HelperResult, Output, PathAndJson,
    RenderContext, Renderable as _, Template,
};
use serde_json::Value;

pub(super) fn register(registry: &mut Handlebars<'_>) {
    registry.register_helper("if", Box::new(If { wanted: true }));
    registry.register_helper("unless", Box::new(If { wanted: false }));
    registry.register_helper("with", Box::new(With));
    registry.register_helper("each", Box::new(Each));
}

/// JavaScript's truth: lists and objects are always true.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Handlebars' own idea of nothing: zero is something, an empty list is not.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Number(_) => false,
        other => !is_true(Some(other)),
    }
}

fn draw<'reg: 'rc, 'rc>(
    template: Option<&'rc Template>,
    registry: &'reg Handlebars<'reg>,
    context: &'rc Context,
    state: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
) -> HelperResult {
    template.map_or(Ok(()), |template| template.render(registry, context, state, out))
}

struct If {
    wanted: bool,
}

impl HelperDef for If {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = call.param(0).map_or(&Value::Null, PathAndJson::value);
        let zero_counts = call.hash_get("includeZero").is_some_and(|zero| is_true(Some(zero.value())));
        let holds = !is_empty(value) && (zero_counts || is_true(Some(value)));
        let template = if holds == self.wanted { call.template() } else { call.inverse() };
        draw(template, registry, context, state, out)
    }
}

/// The scope of `value`: by its path where it has one, which saves a copy.
fn scope<'rc>(value: &PathAndJson<'rc>) -> BlockContext<'rc> {
    let mut block = BlockContext::new();
    match value.context_path() {
        Some(path) => block.base_path_mut().clone_from(path),
        None => block.set_base_value(value.value().clone()),
    }
    block
}

struct With;

impl HelperDef for With {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(value) = call.param(0).filter(|value| !is_empty(value.value())) else {
            return draw(call.inverse(), registry, context, state, out);
        };
        let mut block = scope(value);
        if let Some(outer) = state.block() {
            block.local_variables_mut().clone_from(outer.local_variables());
        }
        if let Some(name) = call.block_param() {
            block.set_block_param(name, BlockParamHolder::value(value.value().clone()));
        }
        state.push_block(block);
        let drawn = draw(call.template(), registry, context, state, out);
        state.pop_block();
        drawn
    }
}

struct Each;

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(value) = call.param(0) else { return Ok(()) };
        let items: Vec<(Value, &Value)> = match value.value() {
            Value::Array(items) => items.iter().enumerate().map(|(at, item)| (Value::from(at), item)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, field)| (Value::from(key.as_str()), field)).collect(),
            _ => vec![],
        };
        if items.is_empty() {
            return draw(call.inverse(), registry, context, state, out);
        }
        let last = items.len() - 1;
        for (at, (key, item)) in items.into_iter().enumerate() {
            let mut block = item_scope(value, &key, item);
            block.set_local_var("index", Value::from(at));
            block.set_local_var("first", Value::from(at == 0));
            block.set_local_var("last", Value::from(at == last));
            name_item(&mut block, call, &key, item);
            block.set_local_var("key", key);
            state.push_block(block);
            let drawn = draw(call.template(), registry, context, state, out);
            state.pop_block();
            drawn?;
        }
        Ok(())
    }
}

fn item_scope<'rc>(whole: &PathAndJson<'rc>, key: &Value, item: &Value) -> BlockContext<'rc> {
    let mut block = BlockContext::new();
    match whole.context_path() {
        Some(path) => {
            let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            *block.base_path_mut() = path.iter().cloned().chain([name]).collect();
        }
        None => block.set_base_value(item.clone()),
    }
    block
}

/// `as |item key|`
fn name_item<'rc>(block: &mut BlockContext<'rc>, call: &Call<'rc>, key: &Value, item: &Value) {
    let (item_name, key_name) = match call.block_param_pair() {
        Some((item_name, key_name)) => (Some(item_name), Some(key_name)),
        None => (call.block_param(), None),
    };
    if let Some(name) = item_name {
        block.set_block_param(name, BlockParamHolder::value(item.clone()));
    }
    if let Some(name) = key_name {
        block.set_block_param(name, BlockParamHolder::value(key.clone()));
    }
}
