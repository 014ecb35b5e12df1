//! What dashboards are made of: pages, templates, and what Vite has built of scripts and styles. All of it is part of the
//! program; a folder of one's own, laid out like `dashboards/`, adds to it or takes its place, and is read again when a
//! file in it changes.

use super::page::{Page, PageError};
use crate::problem::{Problem, Result};
use arc_swap::ArcSwap;
use rust_embed::Embed;
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

#[derive(Embed)]
#[folder = "../dashboards/pages/"]
struct Pages;

#[derive(Embed)]
#[folder = "../dashboards/templates/"]
struct Templates;

/// Empty if it has not been built.
#[derive(Embed)]
#[folder = "../dashboards/islands/dist/"]
struct Islands;

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of the navigation.
    pub pages: Vec<Arc<Page>>,
    /// Pages that can't be shown, and why.
    pub wrong: Vec<PageError>,
    pub templates: BTreeMap<String, String>,
    islands: BTreeMap<String, Built>,
}

/// A line of Vite's manifest.
#[derive(Clone, Debug, Default, Deserialize)]
struct Built {
    file: String,
    #[serde(default)]
    css: Vec<String>,
    /// Other lines, whose styles it needs as well.
    #[serde(default)]
    imports: Vec<String>,
}

pub struct Files {
    folder: Option<PathBuf>,
    loaded: ArcSwap<Loaded>,
    seen: Mutex<(Instant, Stamp)>,
}

/// Tells that a file is another one than before: each with its time and its length.
type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

const PAGES: &str = "pages";
const TEMPLATES: &str = "templates";
const ISLANDS: &str = "islands/dist";
const MANIFEST: &str = "manifest.json";
/// No page and no template of this size is one.
const MOST_BYTES: u64 = 256 << 10;
/// A change is seen after this at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Files {
    pub fn open(folder: Option<PathBuf>) -> Self {
        let stamp = folder.as_deref().map(stamp).unwrap_or_default();
        let loaded = Loaded::read(folder.as_deref());
        Self {
            loaded: ArcSwap::from_pointee(loaded),
            seen: Mutex::new((Instant::now(), stamp)),
            folder,
        }
    }

    pub fn current(&self) -> Arc<Loaded> {
        if let Some(folder) = &self.folder {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.0.elapsed() >= LOOK_EVERY {
                let stamp = stamp(folder);
                if stamp != seen.1 {
                    self.loaded.store(Arc::new(Loaded::read(Some(folder))));
                }
                *seen = (Instant::now(), stamp);
            }
        }
        self.loaded.load_full()
    }

    /// A file that Vite has built.
    pub fn asset(&self, path: &str) -> Option<Vec<u8>> {
        let plain = path
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('\\'));
        plain.then(|| island(self.folder.as_deref(), path)).flatten()
    }
}

impl Loaded {
    pub fn read(folder: Option<&Path>) -> Self {
        let mut loaded = Self::default();
        let mut pages = embedded::<Pages>("yml");
        pages.extend(folder.map(|folder| own(folder, PAGES, "yml")).unwrap_or_default());
        for (name, (file, text)) in pages {
            match Page::read(&name, &file, &text) {
                Ok(page) => loaded.pages.push(Arc::new(page)),
                Err(error) => {
                    tracing::error!(%error, "a dashboard can't be shown");
                    loaded.wrong.push(error);
                }
            }
        }
        loaded.pages.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        let mut templates = embedded::<Templates>("html");
        templates.extend(folder.map(|folder| own(folder, TEMPLATES, "html")).unwrap_or_default());
        let named = templates
            .into_iter()
            .map(|(name, (_, text))| (format!("{name}.html"), text));
        loaded.templates = named.collect();
        let manifest = island(folder, MANIFEST).and_then(|text| serde_json::from_slice(&text).ok());
        loaded.islands = manifest.unwrap_or_default();
        loaded
    }

    pub fn page(&self, name: &str) -> Result<Arc<Page>> {
        if let Some(wrong) = self.wrong.iter().find(|wrong| stem(Path::new(&wrong.file)) == name) {
            return Err(Problem::new(
                "unavailable",
                format!("this dashboard can't be shown: {wrong}"),
            ));
        }
        let found = self.pages.iter().find(|page| page.name == name);
        found.cloned().ok_or_else(|| Problem::not_found("dashboard"))
    }

    /// The addresses of a script of ours and of the styles that it and what it imports need.
    pub fn island(&self, name: &str) -> (Option<&str>, Vec<&str>) {
        let Some(built) = self.islands.get(name) else {
            return (None, Vec::new());
        };
        let mut needed = vec![built];
        let mut place = 0;
        while let Some(next) = needed.get(place) {
            let imported = next.imports.iter().filter_map(|name| self.islands.get(name));
            let new: Vec<&Built> = imported
                .filter(|other| needed.iter().all(|known| known.file != other.file))
                .collect();
            needed.extend(new);
            place += 1;
        }
        let mut styles = Vec::new();
        for style in needed.iter().rev().flat_map(|built| &built.css) {
            if !styles.contains(&style.as_str()) {
                styles.push(style);
            }
        }
        (Some(&built.file), styles)
    }
}

/// By name: where a file stands, and its text.
type Texts = BTreeMap<String, (String, String)>;

fn embedded<Folder: Embed>(ending: &str) -> Texts {
    let named = Folder::iter().filter(|path| Path::new(path.as_ref()).extension().is_some_and(|own| own == ending));
    let read = named.filter_map(|path| {
        let text = String::from_utf8_lossy(&Folder::get(&path)?.data).into_owned();
        Some((stem(Path::new(path.as_ref())), (format!("dashboards/{path}"), text)))
    });
    read.collect()
}

fn own(folder: &Path, kind: &str, ending: &str) -> Texts {
    let found = entries(&folder.join(kind));
    let named = found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|own| own == ending));
    let read = named.filter_map(|path| {
        let text = small(&path)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        // Who reads an error need not know where on the server the folder is.
        let place = path.strip_prefix(folder).unwrap_or(&path);
        Some((stem(&path), (place.display().to_string(), text)))
    });
    read.collect()
}

/// What stands in a file, if it is one, and not a pipe that nobody writes into, or something that has no end.
fn small(path: &Path) -> Option<Vec<u8>> {
    let file = fs::metadata(path).ok()?;
    (file.is_file() && file.len() <= MOST_BYTES).then(|| fs::read(path).ok())?
}

fn island(folder: Option<&Path>, path: &str) -> Option<Vec<u8>> {
    let own = folder.and_then(|folder| fs::read(folder.join(ISLANDS).join(path)).ok());
    own.or_else(|| Islands::get(path).map(|file| Cow::into_owned(file.data)))
}

fn stamp(folder: &Path) -> Stamp {
    let files = [PAGES, TEMPLATES].iter().flat_map(|kind| entries(&folder.join(kind)));
    let files = files.chain([folder.join(ISLANDS).join(MANIFEST)]);
    let told = files.map(|path| {
        let found = fs::metadata(&path).ok();
        let (at, size) = found.map_or((None, 0), |file| (file.modified().ok(), file.len()));
        (path, at, size)
    });
    told.collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_hidden = |path: &PathBuf| stem(path).starts_with('.');
    let mut paths: Vec<PathBuf> = found
        .map(|entry| entry.path())
        .filter(|path| !is_hidden(path))
        .collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_that_is_part_of_the_program_can_be_shown() {
        let loaded = Loaded::read(None);
        assert_eq!(loaded.wrong, []);
        let names: Vec<&str> = loaded.pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "overview", "event", "money", "funnel", "audience", "doors", "compare", "health"
            ]
        );
        for page in &loaded.pages {
            for drill in page.panels.iter().filter_map(|panel| panel.drill.as_ref()) {
                let target = drill
                    .page
                    .as_deref()
                    .map_or(page.clone(), |name| loaded.page(name).unwrap());
                assert!(
                    target.knows(&drill.by),
                    "{}: {} is no filter of its target",
                    page.name,
                    drill.by
                );
            }
        }
    }

    #[test]
    fn a_folder_of_ones_own_adds_replaces_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join(PAGES);
        fs::create_dir_all(&pages).unwrap();
        let page = |title: &str, metric: &str| {
            format!("title: {title}\norder: 1\npanels: [{{ id: a, title: A, kind: figures, metrics: [{metric}] }}]")
        };
        fs::write(pages.join("mine.yml"), page("Mine", "net_sales")).unwrap();
        fs::write(pages.join("money.yml"), page("Our money", "net_sales")).unwrap();
        let files = Files::open(Some(folder.path().to_owned()));
        assert_eq!(files.current().pages[0].title, "Mine");
        assert_eq!(files.current().page("money").unwrap().title, "Our money");

        fs::write(pages.join("mine.yml"), page("Mine", "happiness_of_all")).unwrap();
        files.seen.lock().unwrap().0 = Instant::now().checked_sub(LOOK_EVERY).unwrap();
        let problem = files.current().page("mine").unwrap_err();
        assert!(
            problem
                .detail
                .contains("mine.yml: panels[0] (a): metrics: there is no happiness_of_all"),
            "{problem}"
        );
        assert_eq!(
            files.current().page("overview").unwrap().title,
            "Overview",
            "the others go on"
        );
    }

    #[test]
    fn a_page_has_the_styles_of_what_its_script_imports() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(ISLANDS)).unwrap();
        let manifest = r#"{ "src/a.ts": { "file": "a-1.js", "css": ["a-1.css"], "imports": ["_b.js"] },
                            "_b.js": { "file": "b-2.js", "css": ["b-2.css"], "imports": ["_b.js"] } }"#;
        fs::write(folder.path().join(ISLANDS).join(MANIFEST), manifest).unwrap();
        let loaded = Loaded::read(Some(folder.path()));
        assert_eq!(loaded.island("src/a.ts"), (Some("a-1.js"), vec!["b-2.css", "a-1.css"]));
        assert_eq!(loaded.island("src/other.ts"), (None, Vec::new()));
    }

    #[test]
    fn no_address_of_an_asset_leaves_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(ISLANDS)).unwrap();
        fs::write(folder.path().join("secret.js"), "secret").unwrap();
        let files = Files::open(Some(folder.path().to_owned()));
        for path in [
            "../../secret.js",
            "/etc/passwd",
            ".gitignore",
            "a/../../../secret.js",
            "",
        ] {
            assert!(files.asset(path).is_none(), "{path}");
        }
    }
}
