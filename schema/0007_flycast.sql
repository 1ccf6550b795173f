-- 0007_flycast - addresses fdaa:<network>:0:1::<number> that apps have reserved. The network may be another of the org than the app's own.
CREATE TABLE flycast (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  org BLOB NOT NULL,
  app BLOB NOT NULL REFERENCES app (id),
  network INTEGER NOT NULL,
  number INTEGER NOT NULL CHECK (number BETWEEN 2 AND 65535),
  address BLOB NOT NULL UNIQUE
    CHECK (length(address) = 16 AND substr(address, 1, 2) = X'FDAA' AND substr(address, 7, 8) = X'0000000100000000'),
  created_ms INTEGER NOT NULL,
  UNIQUE (network, number),
  FOREIGN KEY (network, org) REFERENCES network (id, org)
);
CREATE INDEX flycast_of_app ON flycast (app);
CREATE INDEX flycast_of_org ON flycast (org, id);

-- Numbers that may not be given again before until_ms: caches still know who had the address.
CREATE TABLE flycast_resting (
  network INTEGER NOT NULL,
  number INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (network, number)
);
CREATE INDEX flycast_resting_until ON flycast_resting (until_ms);
