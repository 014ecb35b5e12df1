-- Everything that happened to one order.
-- bilten
select seq, change_type, entity_version, total_minor from order_changes where order_id = '{order}'
-- duckdb
select seq, change_type, entity_version, total_minor from order_changes where order_id = '{order}'
-- chdb
select seq, change_type, entity_version, total_minor from order_changes where order_id = '{order}'
