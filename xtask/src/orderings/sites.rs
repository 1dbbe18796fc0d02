//! Where the crate names an atomic ordering, and what each can be weakened to.
//!
//! Each with the builds that it is in, so that it is known to be in what ships, and to be in sight of loom.

use std::collections::HashMap;
use std::path::Path;

use proc_macro2::{LineColumn, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, ExprMethodCall};

use crate::Result;
use crate::modules::{self, Builds};

/// One ordering of one operation, and a weaker one.
#[derive(Clone)]
pub struct Site {
    /// What names it in `SURVIVORS.md`: without lines, which move.
    pub name: String,
    pub file: String,
    pub line: usize,
    /// What is replaced, in bytes of the file.
    span: std::ops::Range<usize>,
    with: String,
    /// In which of loom's builds it is.
    pub in_loom: Option<Loom>,
    /// Whether it ships without features; otherwise with `crossbeam-epoch`.
    pub by_default: bool,
}

/// A build under loom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Loom {
    Plain,
    /// With the feature `crossbeam-epoch`.
    OnCrossbeam,
}

impl Site {
    /// The file with the ordering weakened.
    pub fn weaken(&self, text: &str) -> String {
        let mut weak = text.to_owned();
        weak.replace_range(self.span.clone(), &self.with);
        weak
    }
}

/// All sites of what ships, by file.
pub fn find(root: &Path) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for file in &modules::read(root)? {
        let mut visitor =
            Visitor::new(&file.name, &file.text, line_starts(&file.text), file.builds);
        visitor.visit_file(&file.syntax);
        if let Some(&(line, _)) = visitor.named.iter().find(|at| !visitor.used.contains(at)) {
            let name = &file.name;
            return Err(
                format!("{name}:{line}: an ordering that is no operation's argument").into()
            );
        }
        // Loom sees no atomics but its own.
        let is_modelled = file.text.contains("\npub mod modelled;")
            || !file.text.contains("\nuse core::sync::atomic::{Atomic");
        for site in visitor.sites.iter_mut().filter(|_| !is_modelled) {
            site.in_loom = None;
        }
        sites.append(&mut visitor.sites);
    }
    sites.sort_by(|a, b| (&a.file, a.span.start, &a.with).cmp(&(&b.file, b.span.start, &b.with)));
    let mut seen = HashMap::<String, usize>::new();
    for site in &mut sites {
        let times = seen.entry(site.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            site.name = format!("{} ({times})", site.name);
        }
    }
    Ok(sites)
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

struct Visitor<'t> {
    file: &'t str,
    text: &'t str,
    lines: Vec<usize>,
    /// The type and the function around.
    names: Vec<String>,
    builds: Builds,
    /// Where orderings were seen as arguments, and where they were seen at all, in what ships.
    used: Vec<(usize, usize)>,
    named: Vec<(usize, usize)>,
    sites: Vec<Site>,
}

impl<'t> Visitor<'t> {
    fn new(file: &'t str, text: &'t str, lines: Vec<usize>, builds: Builds) -> Self {
        let (names, used, named, sites) = Default::default();
        Self { file, text, lines, names, builds, used, named, sites }
    }

    fn inside(
        &mut self,
        attributes: &[Attribute],
        name: Option<String>,
        visit: impl FnOnce(&mut Self),
    ) {
        let (builds, depth) = (self.builds, self.names.len());
        self.builds = builds.under(attributes);
        self.names.extend(name);
        visit(self);
        self.names.truncate(depth);
        self.builds = builds;
    }

    fn offset(&self, at: LineColumn) -> usize {
        let start = self.lines[at.line - 1];
        let line = &self.text[start..];
        start + line.char_indices().nth(at.column).map_or(line.len(), |(byte, _)| byte)
    }

    fn add(&mut self, operation: &str, part: &str, from: &str, to: &str, span: Span, with: &str) {
        let place = self.names.join("::");
        self.sites.push(Site {
            name: format!("{} {place} {operation}{part} {from} -> {to}", self.file),
            file: self.file.to_owned(),
            line: span.start().line,
            span: self.offset(span.start())..self.offset(span.end()),
            with: with.to_owned(),
            in_loom: match (self.builds.loom(), self.builds.loom_on_crossbeam()) {
                (true, _) => Some(Loom::Plain),
                (false, true) => Some(Loom::OnCrossbeam),
                (false, false) => None,
            },
            by_default: self.builds.by_default(),
        });
    }

    /// The orderings among the arguments of an atomic operation, each with what it can become.
    fn operation(&mut self, name: &str, arguments: &[&Expr]) {
        let orderings: Vec<_> =
            arguments.iter().filter_map(|argument| ordering(argument)).collect();
        for (at, (from, span)) in orderings.iter().enumerate() {
            self.used.push((span.start().line, span.start().column));
            if !self.builds.ship() {
                continue;
            }
            let (part, weaker) = match (name, at) {
                ("compare_exchange" | "compare_exchange_weak", 1) => ("'s failure", load(from)),
                ("load", _) => ("", load(from)),
                ("store", _) => ("", store(from)),
                _ => ("", exchange(from)),
            };
            for to in weaker {
                self.add(name, part, from, to, *span, to);
            }
        }
    }
}

fn load(from: &str) -> &'static [&'static str] {
    match from {
        "SeqCst" => &["Acquire"],
        "Acquire" => &["Relaxed"],
        _ => &[],
    }
}

fn store(from: &str) -> &'static [&'static str] {
    match from {
        "SeqCst" => &["Release"],
        "Release" => &["Relaxed"],
        _ => &[],
    }
}

fn exchange(from: &str) -> &'static [&'static str] {
    match from {
        "SeqCst" => &["AcqRel", "Acquire", "Release"],
        "AcqRel" => &["Acquire", "Release"],
        "Acquire" | "Release" => &["Relaxed"],
        _ => &[],
    }
}

/// A fence is weakened, or dropped.
fn fence(from: &str) -> &'static [&'static str] {
    match from {
        "SeqCst" => &["AcqRel", "nothing"],
        "AcqRel" => &["Acquire", "Release"],
        _ => &["nothing"],
    }
}

/// The name of an ordering, and where it is.
fn ordering(expression: &Expr) -> Option<(String, Span)> {
    let Expr::Path(path) = expression else {
        return None;
    };
    let [.., of, name] = path.path.segments.iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    (of.ident == "Ordering").then(|| (name.ident.to_string(), name.ident.span()))
}

const NAMES: [&str; 5] = ["SeqCst", "AcqRel", "Acquire", "Release", "Relaxed"];

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inside(&item.attrs, None, |this| visit::visit_item_mod(this, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.inside(&item.attrs, name, |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let name = Some(item.sig.ident.to_string());
        self.inside(&item.attrs, name, |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let name = Some(item.sig.ident.to_string());
        self.inside(&item.attrs, name, |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_expr_block(&mut self, block: &'ast syn::ExprBlock) {
        self.inside(&block.attrs, None, |this| visit::visit_expr_block(this, block));
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.inside(&local.attrs, None, |this| visit::visit_local(this, local));
    }

    fn visit_expr_if(&mut self, expression: &'ast syn::ExprIf) {
        self.inside(&expression.attrs, None, |this| visit::visit_expr_if(this, expression));
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.inside(&call.attrs, None, |this| {
            let arguments: Vec<&Expr> = call.args.iter().collect();
            this.operation(&call.method.to_string(), &arguments);
            visit::visit_expr_method_call(this, call);
        });
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let name = match &*call.func {
            Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        if let Some(name @ ("fence" | "compiler_fence")) = name.as_deref()
            && let Some((from, span)) = call.args.first().and_then(ordering)
        {
            self.used.push((span.start().line, span.start().column));
            for to in fence(&from).iter().filter(|_| self.builds.ship()).collect::<Vec<_>>() {
                match *to {
                    "nothing" => self.add(name, "", &from, to, call.span(), "()"),
                    weaker => self.add(name, "", &from, to, span, weaker),
                }
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let [.., of, name] = path.segments.iter().collect::<Vec<_>>()[..]
            && of.ident == "Ordering"
            && NAMES.iter().any(|ordering| name.ident == ordering)
            && self.builds.ship()
        {
            let at = name.ident.span().start();
            self.named.push((at.line, at.column));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, makro: &'ast syn::Macro) {
        // The arguments of the macros that take expressions are looked into; of others, only whether they
        // name an ordering.
        let parser = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
        if let Ok(parts) = makro.parse_body_with(parser) {
            // Parsed anew: these live as long as this call, and nothing of them is kept.
            let mut inner = Visitor::new(self.file, self.text, self.lines.clone(), self.builds);
            inner.names.clone_from(&self.names);
            parts.iter().for_each(|part| inner.visit_expr(part));
            self.used.append(&mut inner.used);
            self.named.append(&mut inner.named);
            self.sites.append(&mut inner.sites);
        } else if self.builds.ship() {
            names_in(makro.tokens.clone(), &mut self.named);
        }
    }
}

/// Orderings that tokens name.
fn names_in(tokens: TokenStream, to: &mut Vec<(usize, usize)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => names_in(group.stream(), to),
            TokenTree::Ident(name) if NAMES.iter().any(|ordering| name == ordering) => {
                let at = name.span().start();
                to.push((at.line, at.column));
            }
            _ => {}
        }
    }
}
