package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fakekube "k8s.io/client-go/kubernetes/fake"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	fakeserving "knative.dev/serving/pkg/client/clientset/versioned/fake"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "image-processing"}
}

// condition is the status of an object with the condition Ready.
func condition(status corev1.ConditionStatus, reason, message string) duckv1.Status {
	ready := apis.Condition{Type: apis.ConditionReady, Status: status, Reason: reason, Message: message}
	return duckv1.Status{Conditions: duckv1.Conditions{ready}}
}

// smallDeployment is a ready Service, a Broker that is not ready, and a new Trigger.
func smallDeployment() *cluster.Clients {
	service := &servingv1.Service{ObjectMeta: named("grpc-gateway"), Status: servingv1.ServiceStatus{
		Status:                    condition(corev1.ConditionTrue, "", ""),
		ConfigurationStatusFields: servingv1.ConfigurationStatusFields{LatestReadyRevisionName: "grpc-gateway-00001"},
		RouteStatusFields:         servingv1.RouteStatusFields{URL: apis.HTTP("gateway.example")},
	}}
	broker := &eventingv1.Broker{ObjectMeta: named("default"), Status: eventingv1.BrokerStatus{
		Status: condition(corev1.ConditionFalse, "ChannelFailure", "no channel"),
	}}
	trigger := &eventingv1.Trigger{ObjectMeta: named("small"), Spec: eventingv1.TriggerSpec{Subscriber: duckv1.Destination{
		Ref: &duckv1.KReference{Kind: "Service", Name: "resize-grpc-service"},
		URI: &apis.URL{Path: "/", RawQuery: "target_width=80"},
	}}}
	return &cluster.Clients{
		Serving: fakeserving.NewSimpleClientset(service), Eventing: fakeeventing.NewSimpleClientset(broker, trigger),
		Kube: fakekube.NewSimpleClientset(), Namespace: "image-processing",
	}
}

func TestStatus(t *testing.T) {
	for format, want := range map[string]string{
		"": "KIND      NAME           READY     REASON\n" +
			"Service   grpc-gateway   True      \n" +
			"Broker    default        False     ChannelFailure no channel\n" +
			"Trigger   small          Unknown   no status yet\n",
		"name": "service.serving.knative.dev/grpc-gateway\nbroker.eventing.knative.dev/default\n" +
			"trigger.eventing.knative.dev/small\n",
		"jsonpath={.items[*].kind}": "Service Broker Trigger",
	} {
		code, out, wrong := call(t, smallDeployment(), "status", "--output", format)
		if code != 1 || out != want || wrong != "Error: not ready: Broker default, Trigger small; see kn imageflow doctor\n" {
			t.Errorf("-o %s: code %d, %s%s\nwant\n%s", format, code, wrong, out, want)
		}
	}
	for format, want := range map[string]string{
		"wide": "resize-grpc-service/?target_width=80", "yaml": "  kind: Broker\n", "json": `"kind": "Trigger"`,
	} {
		if code, out, wrong := call(t, smallDeployment(), "status", "-o", format); code != 1 || !strings.Contains(out, want) {
			t.Errorf("-o %s: code %d, %s%s\nwant %s", format, code, wrong, out, want)
		}
	}
	code, _, wrong := call(t, smallDeployment(), "status", "-o", "xml")
	if code != 1 || !strings.Contains(wrong, "allowed formats") {
		t.Errorf("-o xml: code %d, %s", code, wrong)
	}
}

// TestStatusReady: the exit code says whether a deployment is ready.
func TestStatusReady(t *testing.T) {
	clients := smallDeployment()
	clients.Eventing = fakeeventing.NewSimpleClientset()
	if code, _, wrong := call(t, clients, "status"); code != 0 {
		t.Errorf("a ready Service: code %d, %s", code, wrong)
	}
	clients.Serving = fakeserving.NewSimpleClientset()
	if code, _, wrong := call(t, clients, "status"); code != 1 || !strings.Contains(wrong, "there are no Services") {
		t.Errorf("nothing: code %d, %s", code, wrong)
	}
}
