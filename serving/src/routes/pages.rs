use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::Embed;

/// The start page, part of the program.
#[derive(Embed)]
#[folder = "../dashboards/start/"]
struct Start;

/// The scanner page as Vite has built it. Empty if it has not been built.
#[derive(Embed)]
#[folder = "../dashboards/scanner/dist/"]
struct Scanner;

/// Nothing from elsewhere is loaded, and no page puts ours into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The same, and what a page needs that works without a network and reads codes from a camera's pictures.
const SCANNER_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                              img-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
                              base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Of the page that shows the API's description. It is not ours, and sets styles by itself.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
                           frame-ancestors 'none'";

/// What stands in place of a page that this program was built without.
const NOT_BUILT: &str = "This program was built without its scanner page. The page needs Node.js and npm; \
                         `make build` builds it and then the program.\n";

/// A file may be kept for as long as its name tells its content, as the names of what Vite builds do.
pub(super) const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

pub async fn start_page() -> Response {
    asset(Path("index.html".to_owned())).await
}

/// Where links in mails lead to, with their secrets in the fragment.
pub async fn account_page() -> Response {
    asset(Path("account.html".to_owned())).await
}

pub async fn order_page() -> Response {
    asset(Path("buyer/order.html".to_owned())).await
}

pub async fn waiting_page() -> Response {
    asset(Path("buyer/waiting.html".to_owned())).await
}

pub async fn devices_page() -> Response {
    asset(Path("devices.html".to_owned())).await
}

/// The rules of our own pages for a page of others.
pub async fn guard_docs(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub async fn asset(Path(path): Path<String>) -> Response {
    match Start::get(&path) {
        Some(found) => file(&path, found.data.into_owned(), POLICY, ASK_AGAIN),
        None => missing(),
    }
}

pub async fn scanner() -> Response {
    match Scanner::get("index.html") {
        Some(_) => scanner_asset(Path("index.html".to_owned())).await,
        None => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
    }
}

pub async fn scanner_asset(Path(path): Path<String>) -> Response {
    let Some(found) = Scanner::get(&path) else {
        return missing();
    };
    let keep = if path.starts_with("assets/") {
        FOREVER
    } else {
        ASK_AGAIN
    };
    let mut response = file(&path, found.data.into_owned(), SCANNER_POLICY, keep);
    if path == "sw.js" {
        // The worker serves the page itself as well, whose address is above the worker's own folder.
        let scope = HeaderValue::from_static("/scanner");
        response
            .headers_mut()
            .insert(HeaderName::from_static("service-worker-allowed"), scope);
    }
    response
}

fn missing() -> Response {
    crate::problem::Problem::not_found("page").into_response()
}

pub(super) fn file(path: &str, content: Vec<u8>, policy: &'static str, keep: &'static str) -> Response {
    let media_type = match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        _ => "text/html; charset=utf-8",
    };
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, keep),
    ];
    (StatusCode::OK, headers, content).into_response()
}
