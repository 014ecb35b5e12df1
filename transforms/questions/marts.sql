select table_name, version, changes_behind, interactions_behind
from system.marts
order by changes_behind + interactions_behind desc, table_name
