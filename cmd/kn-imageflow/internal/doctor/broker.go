package doctor

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/eventing/pkg/apis/eventing"
)

const (
	// brokerName is the name of the broker of the manifests.
	brokerName        = "default"
	eventingNamespace = "knative-eventing"
)

// inMemoryParts are the Deployments of Knative's broker over in-memory channels.
var inMemoryParts = []string{"mt-broker-controller", "mt-broker-ingress", "mt-broker-filter", "imc-controller", "imc-dispatcher"}

func (d *Doctor) broker(ctx context.Context) (string, *finding) {
	broker, err := d.Eventing.EventingV1().Brokers(d.Namespace).Get(ctx, brokerName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", &finding{err.Error(), deploy}
	}
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	class := broker.Annotations[eventing.BrokerClassKey]
	if reason := unready(broker.Generation, broker.Status.Status); reason != "" {
		reason = fmt.Sprintf("class %s: %s", class, reason)
		if class != eventing.MTChannelBrokerClassValue {
			return "", &finding{reason, fmt.Sprintf("kubectl describe broker -n %s %s  # its class must be installed; "+
				"config/components/kafka describes Kafka's", d.Namespace, brokerName)}
		}
		down, fix := d.inMemoryDown(ctx)
		return "", &finding{reason + down, fix}
	}
	note := ""
	if class == eventing.MTChannelBrokerClassValue {
		note = " (keeps events in memory by default; the sweeper replaces lost ones)"
	}
	return class + note, nil
}

// inMemoryDown returns which parts of the in-memory broker have no ready pod, and the fix.
func (d *Doctor) inMemoryDown(ctx context.Context) (reason, fix string) {
	var fixes []string
	for _, name := range inMemoryParts {
		part, err := d.Kube.AppsV1().Deployments(eventingNamespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			reason += fmt.Sprintf("\n%s is not installed in %s", name, eventingNamespace)
			fixes = append(fixes, "# install Knative Eventing with its broker and in-memory channel: https://knative.dev/docs/install")
		case err != nil:
			return err.Error(), unread
		case part.Spec.Replicas != nil && *part.Spec.Replicas == 0:
			reason += fmt.Sprintf("\n%s has been scaled to 0", name)
			fixes = append(fixes, fmt.Sprintf("kubectl scale deployment -n %s %s --replicas=1", eventingNamespace, name))
		case part.Status.ReadyReplicas == 0:
			reason += fmt.Sprintf("\n%s has no ready pod", name)
			fixes = append(fixes, fmt.Sprintf("kubectl rollout restart deployment -n %s %s", eventingNamespace, name))
		}
	}
	if len(fixes) == 0 {
		fixes = []string{fmt.Sprintf("kubectl describe broker -n %s %s", d.Namespace, brokerName)}
	}
	return reason, strings.Join(fixes, "\n")
}
