select *
from system.freshness
