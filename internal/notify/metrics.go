package notify

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/metrics"
)

var deliveries = metrics.Histogram("imageflow.webhook.duration", "s",
	"time of one delivery of a webhook, by hook and outcome: delivered, retry or refused", metrics.LatencyBounds)

// record records a delivery.
func record(ctx context.Context, hook string, o outcome) {
	label := "refused"
	switch {
	case o.status == http.StatusAccepted:
		label = "delivered"
	case events.Retried(o.status):
		label = "retry"
	}
	deliveries.Record(ctx, o.took.Seconds(),
		metric.WithAttributes(attribute.String("hook", hook), attribute.String("outcome", label)))
}
