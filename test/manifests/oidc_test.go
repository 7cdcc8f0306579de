package manifests_test

import (
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	eventingv1alpha1 "knative.dev/eventing/pkg/apis/eventing/v1alpha1"
	"knative.dev/eventing/pkg/auth"
)

// TestOIDCFits: each Trigger asks for the audience that its subscriber demands, the
// subscriber accepts the Trigger's service account, and so does the broker.
func TestOIDCFits(t *testing.T) {
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	policy := &eventingv1alpha1.EventPolicy{}
	find(t, "oidc", "EventPolicy", "broker-default").into(t, policy)
	checked := 0
	for _, o := range all["oidc"] {
		switch o.Kind {
		case "Trigger":
			trigger := &eventingv1.Trigger{}
			o.into(t, trigger)
			account := auth.GetOIDCServiceAccountNameForResource(eventingv1.SchemeGroupVersion.WithKind("Trigger"), trigger.ObjectMeta)
			subject := "system:serviceaccount:image-processing:" + account
			to := trigger.Spec.Subscriber
			checkReceiver(t, to.Ref.Name, to.Audience, subject)
			if !mayPost(policy, subject) {
				t.Errorf("%v may not answer to the broker", o)
			}
			checked++
		case "Broker":
			b := &eventingv1.Broker{}
			o.into(t, b)
			sink := b.Spec.Delivery.DeadLetterSink
			checkReceiver(t, sink.Ref.Name, sink.Audience, "system:serviceaccount:image-processing:x-oidc-eventing.knative.dev-trigger")
			checked++
		}
	}
	if checked != 5 || !mayPost(policy, "system:serviceaccount:image-processing:bridge") {
		t.Errorf("%d checked", checked)
	}
	for _, stranger := range []string{"system:serviceaccount:image-processing:default", "system:serviceaccount:other:bridge"} {
		if mayPost(policy, stranger) {
			t.Errorf("%s may post", stranger)
		}
	}
}

func checkReceiver(t *testing.T, name string, audience *string, subject string) {
	t.Helper()
	c := service(t, find(t, "oidc", "Service", name)).Spec.Template.Spec.Containers[0]
	// Knative sets K_SERVICE to the name of the Service.
	want := strings.ReplaceAll(variableOf(c.Env, "OIDC_AUDIENCE"), "$(K_SERVICE)", name)
	if audience == nil || *audience != want {
		t.Errorf("%s wants the audience %q", name, want)
	}
	if ok, err := path.Match(variableOf(c.Env, "OIDC_SUBJECTS"), subject); err != nil || !ok {
		t.Errorf("%s does not accept %s", name, subject)
	}
}

func variableOf(env []corev1.EnvVar, name string) string {
	for _, e := range env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// mayPost reads the patterns as Knative does.
func mayPost(p *eventingv1alpha1.EventPolicy, subject string) bool {
	for _, from := range p.Spec.From {
		if ok, err := path.Match(*from.Sub, subject); err == nil && ok {
			return true
		}
	}
	return false
}
