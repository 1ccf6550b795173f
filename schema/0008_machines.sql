-- 0008_machines - what the Machines view keeps of an instance beside what every view has.

-- The configuration as its client sent it: shown again as it was, and sent back changed. What runs is in workload.
CREATE TABLE machine (
  instance TEXT NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
  config TEXT NOT NULL CHECK (length(config) BETWEEN 2 AND 61440)
);

-- Whoever holds it changes the instance, and nobody else until it ends.
CREATE TABLE lease (
  instance TEXT NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
  nonce TEXT NOT NULL CHECK (length(nonce) = 16),
  owner TEXT NOT NULL CHECK (length(owner) > 0),
  description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 255),
  expires_ms INTEGER NOT NULL CHECK (expires_ms > 0)
);

-- The life of one instance is read from the log.
CREATE INDEX log_of_instance ON log (key, v) WHERE kind = 5;
