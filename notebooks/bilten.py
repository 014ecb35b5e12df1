"""A connection to Bilten for notebooks: questions in SQL or by metric, answered as Polars frames."""

import os
from datetime import date

import polars as pl
import pyarrow as pa
import requests


class Connection:
    """Answers come as Arrow, and Polars takes them without copying a row in Python."""

    def __init__(self, url: str, token: str, organizer: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.organizer = organizer
        # The order of changes up to which the last answer was complete.
        self.position: int | None = None
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {token}"

    def sql(self, text: str) -> pl.DataFrame:
        """The rows of one query. All tables in it are read at one position."""
        return self._rows("/v1/sql", {"sql": text})

    def metrics(
        self,
        *names: str,
        by: list[str] | None = None,
        where: dict[str, list] | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        grain: str | None = None,
        **more,
    ) -> pl.DataFrame:
        """Figures by dimensions and time. `until` is the day after the last; `more` is what else the API takes, such as
        `compare_to="previous"`, `order_by="-net_sales"` or `limit=10`."""
        filters = [{"dimension": name, "in": values} for name, values in (where or {}).items()]
        query = {"metrics": list(names), "dimensions": by or [], "filters": filters, "grain": grain, **more}
        query |= {"from": since and str(since), "to": until and str(until)}
        return self._rows("/v1/metrics/query", query)

    def metric_list(self) -> pl.DataFrame:
        """Every metric that can be asked for, with what it means and what it can be asked by."""
        answer = self._checked(self._http.get(f"{self.url}/v1/metrics", timeout=60))
        return pl.DataFrame(answer.json()).select("name", "unit", "description", "dimensions")

    def _rows(self, path: str, query: dict) -> pl.DataFrame:
        if self.organizer:
            query |= {"organizer_id": self.organizer}
        accept = {"Accept": "application/vnd.apache.arrow.stream"}
        answer = self._checked(self._http.post(self.url + path, json=query, headers=accept, timeout=120))
        self.position = int(answer.headers["Bilten-Position"])
        return pl.from_arrow(pa.ipc.open_stream(answer.content).read_all())

    @staticmethod
    def _checked(answer: requests.Response) -> requests.Response:
        if not answer.ok:
            problem = answer.json()
            raise RuntimeError(f"{problem['title']}: {problem.get('detail', '')}")
        return answer


def connect(url: str | None = None, token: str | None = None, organizer: str | None = None) -> Connection:
    """Without arguments: what BILTEN_URL and BILTEN_TOKEN say. An organizer is named by who belongs to several."""
    url = url or os.environ.get("BILTEN_URL", "http://127.0.0.1:8484")
    return Connection(url, token or os.environ["BILTEN_TOKEN"], organizer)
