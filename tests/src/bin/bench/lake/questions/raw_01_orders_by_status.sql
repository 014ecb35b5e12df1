-- Of the newest state of every order: how many there are of each status, and their money.
-- bilten
select status, currency, count(*) as orders, sum(total_minor) as minor from orders group by status, currency
-- duckdb
select status, currency, count(*), sum(total_minor) from orders group by 1, 2
-- chdb
select status, currency, count(*), sum(total_minor) from orders group by 1, 2
