-- 0004_kept_reply - replies of writes, for whoever sends the same request with the same Idempotency-Key again. In the transaction of the write
-- itself: there is never one without the other.
CREATE TABLE kept_reply (
  owner BLOB NOT NULL CHECK (length(owner) = 8), -- the only org of who asked; who has none or several: his own id
  seq INTEGER NOT NULL CHECK (seq > 0),          -- an owner who has too many loses the oldest
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),      -- hash of who asked and of the key
  request BLOB NOT NULL CHECK (length(request) = 32),   -- hash of method, path, query and body
  status INTEGER NOT NULL CHECK (status BETWEEN 200 AND 299),
  reply TEXT NOT NULL CHECK (length(reply) <= 16384), -- JSON; '' = it held a secret, or was too large
  about TEXT NOT NULL DEFAULT '',                -- what it was about, for the sentence that stands in for such a reply
  wait TEXT NOT NULL,                            -- JSON: what was to be waited for
  first_v INTEGER NOT NULL CHECK (first_v >= 0),
  v INTEGER NOT NULL CHECK (v >= first_v),
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY (owner, seq)
);
CREATE INDEX kept_reply_expiry ON kept_reply (expires_ms);
