-- What bxbackup measured in a restore. A restore that goes on hands over the same measures again: they are kept once.
CREATE TABLE measures (
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES attempts (id),  -- the one that handed it over first
    host TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- line: bytes that arrived in a slice of time; part, unpack, table
    name TEXT NOT NULL,                 -- of the part or table; '' for a slice of time
    started REAL NOT NULL,              -- by the host's clock
    seconds REAL NOT NULL,
    bytes INTEGER NOT NULL,
    rows INTEGER,
    repairs INTEGER,
    UNIQUE (host, kind, name, started, seconds, bytes)
);
CREATE INDEX measures_attempt ON measures (attempt);

CREATE TABLE forecasts (                -- frozen, so that forecast and fact can be compared honestly
    id INTEGER PRIMARY KEY,
    pass TEXT NOT NULL,
    release TEXT NOT NULL,
    made REAL NOT NULL,
    content TEXT NOT NULL               -- docs/contracts/forecast.schema.json, without its hours of starts
);
