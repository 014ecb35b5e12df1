use super::entity;
use crate::{
    AlertRuleId, Currency, DashboardShareId, Label, ReportId, Timestamp, UserId,
    alert::{Condition, TimeWindow},
    message::Language,
    record::record,
    schedule::{Every, Weekday},
};

record! {
    /// A link that shows one state of a dashboard to whoever has it. Its token is nowhere but with its holders; the core
    /// keeps a hash.
    DashboardShare {
        dashboard_share_id: DashboardShareId,
        page: String,
        /// The page's query string.
        state: String,
        /// Whether other sites may put it into a frame.
        may_embed: bool,
        /// As the changes name who made them.
        created_by: String,
        created_at: Timestamp,
        expires_at: Timestamp,
        revoked_at: Option<Timestamp>,
    }
    /// A dashboard's figures, mailed again and again.
    Report {
        report_id: ReportId,
        name: Label,
        page: String,
        state: String,
        every: Every,
        /// Of a weekly one.
        weekday: Option<Weekday>,
        /// Of a monthly one: 1 to 31, and the last day of a month that is shorter.
        month_day: Option<i64>,
        hour: i64,
        minute: i64,
        timezone: String,
        language: Language,
        recipients: Vec<ListedRecipient>,
        paused: bool,
        created_at: Timestamp,
        /// None: it is paused or deleted.
        next_at: Option<Timestamp>,
        last_sent_at: Option<Timestamp>,
        deleted_at: Option<Timestamp>,
    }
    /// A member who is told. The address stays in the core.
    ListedRecipient {
        user_id: UserId,
    }
    /// A metric that is watched.
    AlertRule {
        alert_rule_id: AlertRuleId,
        name: Label,
        metric: String,
        filters: Vec<RuleFilter>,
        /// Of a metric that is money: amounts of other currencies are left out.
        currency: Option<Currency>,
        time_window: TimeWindow,
        condition: Condition,
        /// In the metric's unit, or in percent of the usual.
        threshold: f64,
        /// What fires is over once its condition has not held for so long.
        quiet_minutes: i64,
        language: Language,
        recipients: Vec<ListedRecipient>,
        paused: bool,
        created_at: Timestamp,
        /// Since when it fires.
        firing_since: Option<Timestamp>,
        deleted_at: Option<Timestamp>,
    }
    /// One of the values that a dimension may have.
    RuleFilter {
        dimension: String,
        /// None: rows without one.
        value: Option<String>,
    }
}

entity!(DashboardShare, "dashboard_share", "dashboard_shares", key: dashboard_share_id, money: None, personal: &[],
    changes: ["created", "updated", "revoked"]);
entity!(Report, "report", "reports", key: report_id, money: None, personal: &[],
    changes: ["created", "updated", "sent", "deleted"]);
entity!(AlertRule, "alert_rule", "alert_rules", key: alert_rule_id, money: None, personal: &[],
    changes: ["created", "updated", "fired", "settled", "deleted"]);
