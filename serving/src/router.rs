//! Every route in one list, from which the OpenAPI document is made, and what surrounds them all.

use crate::{
    auth::refuse_devices,
    extract::{BATCH_LIMIT, ClientAddress},
    observe::observe,
    problem::{PROBLEM_JSON, Problem},
    roles::ProcessRole,
    routes::{
        access, account, alert_rules, audit, audit_log, buyer, check_ins, dashboard_shares, dashboards, devices,
        downloads, erasure, event_refunds, events, exports, gates, health, holds, imports, interactions, metrics,
        money, orders, organizers, pages, payments, promo_codes, questions, reports, saved_questions, scanner, scans,
        session, shared, sql, status, ticket_types, tickets, till, transforms, venues, waiting_list, webhooks,
    },
    wiring::App,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

/// The largest body of an ordinary request: forms and queries are far smaller.
const BODY_LIMIT: usize = 256 << 10;

#[derive(OpenApi)]
#[openapi(
    info(title = "Bilten", description = "Sell tickets, open doors, and ask the lake what happened."),
    security(("bearer" = []), ("session" = [])),
    modifiers(&Schemes),
    tags(
        (name = "storefront", description = "For anyone: what a shop needs"),
        (name = "session", description = "Log in and out"),
        (name = "organizers", description = "Who runs events"),
        (name = "access", description = "Members and API tokens"),
        (name = "venues", description = "Where events take place"),
        (name = "events", description = "Events, capacity pools and ticket types"),
        (name = "orders", description = "Orders, for staff"),
        (name = "people", description = "Buyers and attendees"),
        (name = "money", description = "Refunds, disputes, the ledger, payouts, and the provider's books against ours"),
        (name = "payments", description = "What payment providers report"),
        (name = "check-in", description = "Doors"),
        (name = "webhooks", description = "Telling other programs of changes"),
        (name = "lake", description = "SQL and metrics"),
        (name = "insights", description = "Links to dashboards, reports by mail, alerts, saved questions"),
        (name = "operation", description = "Imports, audit, status, health"),
    ),
    components(schemas(Problem))
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::auth::SESSION_COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// Whatever goes wrong is a problem document: those that a route names, and all others, such as a body that can't be
/// read, a log-in that is missing, or too many requests.
fn tell_of_problems(document: &mut utoipa::openapi::OpenApi) {
    let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
    let other = || {
        ResponseBuilder::new()
            .description("Another problem")
            .content(PROBLEM_JSON, problem())
    };
    let operations = document.paths.paths.values_mut().flat_map(|path| {
        let all = [
            &mut path.get,
            &mut path.put,
            &mut path.post,
            &mut path.delete,
            &mut path.patch,
        ];
        all.into_iter().flatten()
    });
    for operation in operations {
        let responses = &mut operation.responses.responses;
        for (status, response) in responses.iter_mut() {
            if let (true, RefOr::T(response)) = (status.as_str() >= "400", response) {
                response.content.clear();
                response.content.insert(PROBLEM_JSON.to_owned(), problem().into());
            }
        }
        responses.insert("default".to_owned(), other().build().into());
    }
}

pub fn build(app: &Arc<App>) -> Router {
    let (routes, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(operation())
        .merge(lake())
        .merge(
            staff()
                .merge(storefront().layer(middleware::from_fn_with_state(app.clone(), limit_strangers)))
                .merge(batches())
                .layer(middleware::from_fn_with_state(app.clone(), require_api)),
        )
        .split_for_parts();
    tell_of_problems(&mut document);
    let docs: Router<Arc<App>> = SwaggerUi::new("/docs").url("/openapi.json", document).into();
    let role: Arc<str> = app.roles.to_string().into();
    let compress = SizeAbove::new(1024)
        .and(NotForContentType::new("application/vnd.apache.parquet"))
        .and(NotForContentType::const_new(crate::exports::XLSX))
        .and(NotForContentType::SSE);
    routes
        .merge(docs.layer(middleware::map_response(pages::guard_docs)))
        .route("/", get(pages::start_page))
        .route("/account", get(pages::account_page))
        .route("/order", get(pages::order_page))
        .route("/waiting", get(pages::waiting_page))
        .route("/devices", get(pages::devices_page))
        .route("/assets/{*path}", get(pages::asset))
        .route("/scanner", get(pages::scanner))
        .route("/scanner/", get(pages::scanner))
        .route("/scanner/{*path}", get(pages::scanner_asset))
        .merge(dashboards::router())
        .merge(shared::router().layer(middleware::from_fn_with_state(app.clone(), limit_strangers)))
        .fallback(async || Problem::not_found("address; see /docs"))
        .method_not_allowed_fallback(async || Problem::new("method_not_allowed", "see /docs"))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::internal("a handler panicked").into_response()
        }))
        .layer(middleware::from_fn_with_state(role, observe))
        .layer(CompressionLayer::new().gzip(true).compress_when(compress))
        .with_state(app.clone())
}

/// For whoever runs the program: each process answers.
fn operation() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(status::show_status))
        .layer(middleware::from_fn(refuse_devices))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::prometheus))
}

/// Questions, for processes with the role `query`.
fn lake() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sql::query))
        .routes(routes!(metrics::list_metrics))
        .routes(routes!(metrics::query_metrics))
        .routes(routes!(questions::list_questions))
        .routes(routes!(questions::show_question))
        .routes(routes!(transforms::list_transforms))
        .routes(routes!(transforms::run_transform))
        .routes(routes!(transforms::test_transform))
        .routes(routes!(audit::run_audit))
        .routes(routes!(audit_log::of_organizer))
        .routes(routes!(audit_log::of_event))
        .routes(routes!(audit_log::of_order))
        .routes(routes!(audit_log::of_ticket))
        .routes(routes!(exports::export))
        .layer(middleware::from_fn(refuse_devices))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(refuse_large::<BODY_LIMIT>))
}

/// For members and tokens.
fn staff() -> OpenApiRouter<Arc<App>> {
    programme()
        .merge(accounts())
        .merge(insights())
        .merge(sales())
        .merge(gatekeeping())
        .layer(middleware::from_fn(refuse_devices))
        .merge(doors())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(refuse_large::<BODY_LIMIT>))
}

/// Organizers, venues, events, and what is sold of them.
fn programme() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(organizers::create_organizer, organizers::list_organizers))
        .routes(routes!(organizers::show_organizer))
        .routes(routes!(venues::create_venue, venues::list_venues))
        .routes(routes!(venues::show_venue))
        .routes(routes!(events::draft_event, events::list_organizer_events))
        .routes(routes!(events::update_event))
        .routes(routes!(events::change_event_status))
        .routes(routes!(ticket_types::create_pool, ticket_types::list_pools))
        .routes(routes!(ticket_types::resize_pool))
        .routes(routes!(
            ticket_types::create_ticket_type,
            ticket_types::list_ticket_types
        ))
        .routes(routes!(promo_codes::create_promo_code, promo_codes::list_promo_codes))
        .routes(routes!(promo_codes::update_promo_code))
}

/// Who may do what, and what leaves the house.
fn accounts() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(session::log_in, session::show_session, session::log_out))
        .routes(routes!(session::list_sessions, session::end_other_sessions))
        .routes(routes!(session::end_session))
        .routes(routes!(account::ask_for_password_reset))
        .routes(routes!(account::reset_password))
        .routes(routes!(account::ask_for_verification))
        .routes(routes!(account::verify_email))
        .routes(routes!(account::enrol))
        .routes(routes!(account::confirm))
        .routes(routes!(account::turn_off))
        .routes(routes!(account::new_recovery_codes))
        .routes(routes!(access::create_user))
        .routes(routes!(access::turn_off_second_factor))
        .routes(routes!(access::add_member, access::list_members))
        .routes(routes!(access::remove_member))
        .routes(routes!(access::create_api_token, access::list_api_tokens))
        .routes(routes!(access::revoke_api_token))
        .routes(routes!(webhooks::create_endpoint, webhooks::list_endpoints))
        .routes(routes!(webhooks::show_endpoint, webhooks::update_endpoint))
        .routes(routes!(webhooks::rotate_secret))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::send_again))
        .routes(routes!(erasure::erase_person))
        .routes(routes!(erasure::erase_person_by_email))
        .routes(routes!(erasure::show_erasure))
}

/// What an organizer keeps about its dashboards.
fn insights() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(dashboard_shares::create_share, dashboard_shares::list_shares))
        .routes(routes!(dashboard_shares::update_share, dashboard_shares::revoke_share))
        .routes(routes!(reports::create_report, reports::list_reports))
        .routes(routes!(
            reports::show_report,
            reports::update_report,
            reports::delete_report
        ))
        .routes(routes!(reports::send_report_now))
        .routes(routes!(alert_rules::create_alert_rule, alert_rules::list_alert_rules))
        .routes(routes!(
            alert_rules::show_alert_rule,
            alert_rules::update_alert_rule,
            alert_rules::delete_alert_rule
        ))
        .routes(routes!(
            saved_questions::save_question,
            saved_questions::list_saved_questions
        ))
        .routes(routes!(
            saved_questions::show_saved_question,
            saved_questions::update_saved_question,
            saved_questions::delete_saved_question
        ))
}

/// Orders, and the money for them.
fn sales() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(orders::list_event_orders))
        .routes(routes!(waiting_list::list_waiting_entries))
        .routes(routes!(till::approve_order))
        .routes(routes!(till::take_till_payment))
        .routes(routes!(till::hand_over_refund))
        .routes(routes!(money::refund_order, money::list_refunds))
        .routes(routes!(event_refunds::refund_event, event_refunds::show_event_refunds))
        .routes(routes!(money::list_disputes))
        .routes(routes!(money::show_balances))
        .routes(routes!(money::list_ledger_entries))
        .routes(routes!(money::make_payout, money::list_payouts))
        .routes(routes!(money::set_platform_fee))
        .routes(routes!(money::reconcile, money::list_reconciliations))
        .routes(routes!(payments::take_report))
        .routes(routes!(payments::show_test_provider))
}

/// Lists, gates, devices and codes, for who puts them up.
fn gatekeeping() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(check_ins::create_check_in_list))
        .routes(routes!(check_ins::update_check_in_list))
        .routes(routes!(gates::create_gate))
        .routes(routes!(gates::update_gate))
        .routes(routes!(devices::register_device, devices::list_devices))
        .routes(routes!(devices::move_device, devices::revoke_device))
        .routes(routes!(tickets::block_ticket))
        .routes(routes!(tickets::unblock_ticket))
        .routes(routes!(tickets::reissue_ticket))
        .routes(routes!(tickets::rotate_event_key))
        .routes(routes!(tickets::revoke_event_key))
}

/// Whoever lets people in. A device's token reaches these, the upload of scans, and nothing else.
fn doors() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(check_ins::list_check_in_lists))
        .routes(routes!(check_ins::list_check_ins))
        .routes(routes!(check_ins::show_attendance))
        .routes(routes!(check_ins::search_attendees))
        .routes(routes!(check_ins::exit_all))
        .routes(routes!(scanner::show_scanner))
        .routes(routes!(scans::redeem))
        .routes(routes!(scans::annul))
        .routes(routes!(downloads::download))
        .routes(routes!(gates::list_gates))
        .routes(routes!(tickets::list_event_keys))
}

/// For anyone: what a shop needs.
fn storefront() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(events::list_events))
        .routes(routes!(events::show_event))
        .routes(routes!(holds::place_hold))
        .routes(routes!(holds::show_hold, holds::release_hold))
        .routes(routes!(orders::check_out))
        .routes(routes!(orders::pay_order))
        .routes(routes!(buyer::show_order))
        .routes(routes!(orders::list_order_tickets))
        .routes(routes!(buyer::draw_ticket))
        .routes(routes!(orders::cancel_order))
        .routes(routes!(orders::send_order_link))
        .routes(routes!(orders::name_ticket_holder))
        .routes(routes!(waiting_list::join_waiting_list))
        .routes(routes!(
            waiting_list::show_waiting_entry,
            waiting_list::leave_waiting_list
        ))
        .layer(middleware::from_fn(refuse_devices))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(refuse_large::<BODY_LIMIT>))
}

/// Large bodies, which may be compressed.
fn batches() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(interactions::collect))
        .routes(routes!(imports::import))
        .layer(middleware::from_fn(refuse_devices))
        .routes(routes!(scans::upload))
        .layer(DefaultBodyLimit::max(BATCH_LIMIT))
        .layer(middleware::from_fn(refuse_large::<BATCH_LIMIT>))
}

/// Refuses a body that says itself that it is too large before any of it is asked for.
async fn refuse_large<const LIMIT: usize>(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match length {
        Some(length) if length > LIMIT => {
            Problem::new("body_too_large", format!("this address takes at most {LIMIT} bytes")).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Commands and interactions are for processes with the role `api`.
async fn require_api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.roles.has(ProcessRole::Api) {
        true => next.run(request).await,
        false => app.misdirected(ProcessRole::Api).into_response(),
    }
}

async fn limit_strangers(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    request: Request,
    next: Next,
) -> Response {
    match app.limits.public(address) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
