package manifests_test

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// endpoints maps the variables with the addresses that a pod calls to the port of the called pods,
// if it differs from the port of the address.
var endpoints = map[string]int{
	"MINIO_ENDPOINT": 0, "TRITON_GRPC_URL": 0, "OTEL_EXPORTER_OTLP_ENDPOINT": 0, "BROKER_URL": 8080,
	"RESIZE_GRPC_ENDPOINT": 0, "AI_DETECTION_GRPC_ENDPOINT": 0, "FILTER_GRPC_ENDPOINT": 0,
}

// TestEgressMatchesCalls: each pod reaches the endpoints in its environment and
// the DNS, and no rule opens a port of all pods.
func TestEgressMatchesCalls(t *testing.T) {
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	for name, objects := range all {
		t.Run(name, func(t *testing.T) {
			policies := egress(t, objects)
			for _, o := range objects {
				meta, spec := pod(t, o)
				if spec == nil || o.Metadata.Namespace != "image-processing" {
					continue
				}
				own := map[string]string{"serving.knative.dev/service": o.Metadata.Name}
				for k, v := range meta.Labels {
					own[k] = v
				}
				rules := selected(t, policies, own)
				if !opens(rules, "kube-system", 53) {
					t.Errorf("%v cannot look up names", o)
				}
				for _, e := range spec.Containers[0].Env {
					checkEndpoint(t, o, rules, e)
				}
			}
		})
	}
}

func checkEndpoint(t *testing.T, o object, rules []networkingv1.NetworkPolicyEgressRule, e corev1.EnvVar) {
	t.Helper()
	pods, ok := endpoints[e.Name]
	if !ok {
		return
	}
	address := e.Value
	if u, err := url.Parse(e.Value); err == nil && u.Host != "" {
		if address = u.Host; u.Port() == "" {
			address += ":80"
		}
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("%v: %s: %v", o, e.Name, err)
	}
	if host == "localhost" {
		return
	}
	port, _ := strconv.Atoi(text)
	if pods != 0 {
		port = pods
	}
	namespace := strings.Split(host, ".")[1]
	if !opens(rules, namespace, port) {
		t.Errorf("%v cannot reach %s, port %d in %s", o, e.Name, port, namespace)
	}
}

// egress returns the policies of outgoing calls. Each of their rules must name namespaces.
func egress(t *testing.T, objects []object) (all []*networkingv1.NetworkPolicy) {
	t.Helper()
	for _, o := range objects {
		if o.Kind != "NetworkPolicy" {
			continue
		}
		p := &networkingv1.NetworkPolicy{}
		o.into(t, p)
		for _, rule := range p.Spec.Egress {
			if len(rule.To) == 0 || len(rule.Ports) == 0 {
				t.Errorf("%v: a rule opens everything: %v", o, rule)
			}
			for _, to := range rule.To {
				if to.IPBlock != nil { // the API server, by its port
					continue
				}
				if s := to.NamespaceSelector; s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
					t.Errorf("%v: a rule opens every namespace", o)
				}
			}
		}
		all = append(all, p)
	}
	return all
}

// selected returns the rules of the policies that select a pod with these labels.
func selected(
	t *testing.T, policies []*networkingv1.NetworkPolicy, own map[string]string,
) (rules []networkingv1.NetworkPolicyEgressRule) {
	t.Helper()
	for _, p := range policies {
		s, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil {
			t.Fatal(err)
		}
		if s.Matches(labels.Set(own)) {
			rules = append(rules, p.Spec.Egress...)
		}
	}
	return rules
}

func opens(rules []networkingv1.NetworkPolicyEgressRule, namespace string, port int) bool {
	return slices.ContainsFunc(rules, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		there := slices.ContainsFunc(rule.To, func(to networkingv1.NetworkPolicyPeer) bool {
			s, err := metav1.LabelSelectorAsSelector(to.NamespaceSelector)
			return to.IPBlock == nil && err == nil && s.Matches(labels.Set{"kubernetes.io/metadata.name": namespace})
		})
		return there && slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
			return p.Port != nil && p.Port.IntValue() == port
		})
	})
}
