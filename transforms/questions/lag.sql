select *
from system.lag
