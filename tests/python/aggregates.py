"""How many facts become one figure. None is what nothing can be said of."""


def total(column):
    return lambda rows: sum(row[column] for row in rows)


def share(numerator, denominator):
    def divided(rows):
        below = denominator(rows)
        return numerator(rows) / below if below else None

    return divided


def mean(column):
    def of_known(rows):
        known = [row[column] for row in rows if row[column] is not None]
        return sum(known) / len(known) if known else None

    return of_known


def so_far(column):
    """What was reached on a day, which only one event can say, or over all days."""

    def reached(rows):
        if len({row["days_to_event"] for row in rows}) > 1:
            return sum(row[column] for row in rows)
        return sum(row[f"{column}_so_far"] for row in rows) if len({row["event_id"] for row in rows}) == 1 else None

    return reached


def online(column):
    return lambda rows: sum(row[column] for row in rows if row["channel"] == "online")


def limited(figure):
    """Nothing where one of the rows has no limit."""
    return lambda rows: None if any(row["capacity"] is None for row in rows) else figure(rows)


def of_one_figure(figure):
    """Nothing of several ones, which have different units."""
    return lambda rows: figure(rows) if len({row["figure"] for row in rows}) == 1 else None


def people(rows):
    return len({row["person_id"] for row in rows})


def net(*columns):
    first, *others = columns
    return lambda rows: sum(row[first] - sum(row[other] for other in others) for row in rows)
