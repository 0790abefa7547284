-- Times are seconds since 1970-01-01 UTC. A row is written before the work it tells of begins.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,               -- number of the folder .boxlift/runs/NNNN
    pass TEXT NOT NULL,
    phase TEXT NOT NULL,
    step TEXT NOT NULL,
    kind TEXT NOT NULL,
    release TEXT NOT NULL,
    number INTEGER NOT NULL,            -- first, second, ... attempt of this step in this pass
    trial INTEGER NOT NULL DEFAULT 0,   -- 1: check mode, changed nothing
    started REAL NOT NULL,
    ended REAL,
    outcome TEXT NOT NULL DEFAULT 'running',  -- running, done, failed, interrupted
    exit INTEGER,
    changes INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER,
    cause TEXT,
    log TEXT
);
CREATE INDEX attempts_step ON attempts (pass, step);

CREATE TABLE results (                  -- one a task and host; a test of a suite is a task
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    play TEXT NOT NULL,
    role TEXT NOT NULL,
    task TEXT NOT NULL,
    host TEXT NOT NULL,
    started REAL,
    ended REAL,
    seconds REAL,
    outcome TEXT NOT NULL,              -- ok, changed, skipped, failed, ignored, unreachable
    tries INTEGER NOT NULL DEFAULT 1,
    cause TEXT
);
CREATE INDEX results_attempt ON results (attempt);

CREATE TABLE segments (                 -- progress of a restore, as bxbackup reported it
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    host TEXT NOT NULL,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    bytes INTEGER,
    bytes_total INTEGER,
    rate REAL,
    parts INTEGER,
    parts_total INTEGER,
    files INTEGER,
    tables INTEGER,
    tables_total INTEGER,
    rows INTEGER
);
CREATE INDEX segments_attempt ON segments (attempt);

CREATE TABLE verdicts (                 -- what persons said about their steps
    id INTEGER PRIMARY KEY,
    pass TEXT NOT NULL,
    step TEXT NOT NULL,
    release TEXT NOT NULL,
    verdict TEXT NOT NULL,              -- confirm, refuse, reopen
    by TEXT NOT NULL,
    note TEXT,
    at REAL NOT NULL
);
CREATE INDEX verdicts_step ON verdicts (pass, step);

CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    pass TEXT NOT NULL,
    step TEXT,
    attempt INTEGER REFERENCES attempts (id),
    host TEXT,
    kind TEXT NOT NULL,                 -- note, repair, failure, interruption
    text TEXT NOT NULL,
    cost REAL                           -- seconds it took from the move, where known
);

CREATE TABLE choices (                  -- the pass that commands work on when none is named
    id INTEGER PRIMARY KEY,
    pass TEXT NOT NULL,
    at REAL NOT NULL
);
