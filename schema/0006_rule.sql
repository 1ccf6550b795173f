-- 0006_rule - peering rules: one network's app may reach another's. Between two orgs each end has to agree; until then the other end is
-- known only as it was named, and its columns are NULL if there is nothing of that name: a proposal tells nobody what exists.
CREATE TABLE rule (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  state INTEGER NOT NULL CHECK (state IN (1, 2, 3)), -- proposed by the end that opens, by the end that is opened to; agreed
  from_org BLOB REFERENCES org (id),
  from_network INTEGER REFERENCES network (id),
  from_app BLOB REFERENCES app (id), -- NULL = every app of the network, if from_app_name is ''
  to_org BLOB REFERENCES org (id),
  to_network INTEGER REFERENCES network (id),
  to_app BLOB REFERENCES app (id),
  from_org_name TEXT NOT NULL CHECK (length(from_org_name) BETWEEN 1 AND 63),
  from_network_name TEXT NOT NULL CHECK (length(from_network_name) <= 63),
  from_app_name TEXT NOT NULL CHECK (length(from_app_name) <= 63),
  to_org_name TEXT NOT NULL CHECK (length(to_org_name) BETWEEN 1 AND 63),
  to_app_name TEXT NOT NULL CHECK (length(to_app_name) BETWEEN 1 AND 63),
  alias TEXT NOT NULL DEFAULT '' CHECK (length(alias) <= 63), -- of to_app in the DNS of from_network
  created_ms INTEGER NOT NULL,
  agreed_ms INTEGER NOT NULL DEFAULT 0,
  CHECK (from_network <> to_network),
  CHECK (from_app IS NULL OR from_network IS NOT NULL),
  CHECK ((to_app IS NULL) = (to_network IS NULL)),
  CHECK (state = 2 OR (from_org IS NOT NULL AND from_network IS NOT NULL AND (from_app IS NULL) = (from_app_name = ''))),
  CHECK (state = 1 OR (to_org IS NOT NULL AND to_network IS NOT NULL)),
  CHECK ((state = 3) = (agreed_ms > 0))
);
CREATE UNIQUE INDEX rule_pair ON rule (from_network, coalesce(from_app, X''), to_app) WHERE state = 3;
CREATE INDEX rule_from_org ON rule (from_org);
CREATE INDEX rule_to_org ON rule (to_org);
CREATE INDEX rule_from_network ON rule (from_network);
CREATE INDEX rule_to_network ON rule (to_network);
CREATE INDEX rule_from_app ON rule (from_app);
CREATE INDEX rule_to_app ON rule (to_app);
