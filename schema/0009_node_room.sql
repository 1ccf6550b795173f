-- 0009_node_room - how many instances an operator lets a node have; 0 = as many as come.
ALTER TABLE node ADD COLUMN max_instances INTEGER NOT NULL DEFAULT 0 CHECK (max_instances BETWEEN 0 AND 100000);
