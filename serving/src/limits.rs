//! How often one address may ask. Only the routes that anyone may use are limited; a token or a session names its
//! holder, who can be asked to stop.

use crate::problem::{Problem, Result};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use std::{net::IpAddr, num::NonZeroU32};

/// Passwords are guessed slowly: so many attempts a minute from one address.
const LOG_INS_A_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");
/// A page opens with several requests at once.
const BURST_SECONDS: u32 = 3;

pub struct Limits {
    public: Option<(u32, DefaultKeyedRateLimiter<IpAddr>)>,
    log_in: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    /// `a_second` of zero: public routes are not limited.
    pub fn new(a_second: u32) -> Self {
        let public = NonZeroU32::new(a_second).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN));
            (a_second, RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
        });
        Self {
            public,
            log_in: RateLimiter::keyed(Quota::per_minute(LOG_INS_A_MINUTE)),
        }
    }

    pub fn public(&self, address: IpAddr) -> Result<()> {
        match &self.public {
            Some((a_second, limiter)) => check(limiter, address, *a_second, 1),
            None => Ok(()),
        }
    }

    pub fn log_in(&self, address: IpAddr) -> Result<()> {
        check(&self.log_in, address, LOG_INS_A_MINUTE.get(), 60)
    }

    /// Forgets addresses that have been quiet, so that memory does not grow with visitors.
    pub fn forget_the_quiet(&self) {
        if let Some((_, limiter)) = &self.public {
            limiter.retain_recent();
        }
        self.log_in.retain_recent();
    }
}

fn check(limiter: &DefaultKeyedRateLimiter<IpAddr>, address: IpAddr, limit: u32, window: u64) -> Result<()> {
    limiter.check_key(&address).map_err(|until| {
        let wait = until.wait_time_from(limiter.clock().now()).as_secs() + 1;
        Problem::new(
            "too_many_requests",
            format!("at most {limit} in {window} s from one address; wait {wait} s"),
        )
        .retry_after(wait)
        .rate_limit(limit, wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let limits = Limits::new(1);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let answers: Vec<bool> = (0..4).map(|_| limits.public(one).is_ok()).collect();
        assert_eq!(answers, [true, true, true, false]);
        assert!(limits.public(other).is_ok());
        assert!((0..1000).all(|_| Limits::new(0).public(one).is_ok()));
    }
}
