/* metrics - the one table of what a node exports itself: the numbers that also go to the controller, and those of no use to others. */
#pragma once
#include "lib/base/metric.h"

struct node;

void node_metrics(struct node *node, struct buf *text);
void node_metrics_document(struct buf *text);
