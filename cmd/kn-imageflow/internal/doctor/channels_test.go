package doctor

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fakekube "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
)

// TestDoctor_otherBroker: the channels of all brokers are checked.
func TestDoctor_otherBroker(t *testing.T) {
	d := newDeployment(t)
	_, err := d.Eventing.EventingV1().Brokers(testNamespace).Create(t.Context(), &eventingv1.Broker{ObjectMeta: meta("fast")},
		metav1.CreateOptions{})
	d.must(err)
	left := channel("gone")
	left.Name = channelOf("fast")
	_, err = d.Eventing.MessagingV1().InMemoryChannels(testNamespace).Create(t.Context(), left, metav1.CreateOptions{})
	d.must(err)
	d.expect("triggers", "the channel of the broker fast has subscribers without a Trigger: gone\n",
		"kubectl delete inmemorychannel -n image-processing fast-kne-trigger")
}

// TestDoctor_triggerJustDeleted: a subscriber that was removed with its Trigger during the check is none that was left.
func TestDoctor_triggerJustDeleted(t *testing.T) {
	d := newDeployment(t)
	isDeleted, fake := false, d.Eventing.(*fakeeventing.Clientset)
	fake.PrependReactor("list", "subscriptions", func(clienttesting.Action) (bool, runtime.Object, error) {
		if !isDeleted {
			isDeleted = true
			kinds := messagingv1.SchemeGroupVersion
			d.must(fake.Tracker().Update(kinds.WithResource("inmemorychannels"), channel("one"), testNamespace))
			d.must(fake.Tracker().Delete(kinds.WithResource("subscriptions"), testNamespace, "two"))
		}
		return false, nil, nil
	})
	d.expect("")
}

// TestDoctor_chainsFix: the fix of chains works, also with the console's Trigger, which it lists.
func TestDoctor_chainsFix(t *testing.T) {
	d := newDeployment(t)
	d.addTrigger("console", "console", "/console/events")
	all, err := d.Eventing.EventingV1().Triggers(testNamespace).List(t.Context(), metav1.ListOptions{})
	d.must(err)
	all.Kind = "TriggerList"
	text, err := json.Marshal(all)
	d.must(err)
	d.configMap(testNamespace, "triggers", func(m *corev1.ConfigMap) { m.Data = map[string]string{"triggers.yaml": string(text)} })
	d.expect("")
}

// TestDoctor_withoutNodes: an account of the namespace may not list nodes, and makes the other checks.
func TestDoctor_withoutNodes(t *testing.T) {
	d := newDeployment(t)
	d.Kube.(*fakekube.Clientset).PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("nodes"), "", nil)
	})
	d.expect("")
}
