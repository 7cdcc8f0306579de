package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	fakediscovery "k8s.io/client-go/discovery/fake"
	fakedynamic "k8s.io/client-go/dynamic/fake"
	fakekube "k8s.io/client-go/kubernetes/fake"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	eventingduck "knative.dev/eventing/pkg/apis/duck/v1"
	"knative.dev/eventing/pkg/apis/eventing"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
	eventingscheme "knative.dev/eventing/pkg/client/clientset/versioned/scheme"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	fakeserving "knative.dev/serving/pkg/client/clientset/versioned/fake"
	servingscheme "knative.dev/serving/pkg/client/clientset/versioned/scheme"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/cmd/kn-imageflow/internal/overlay"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const testNamespace = "image-processing"

// deployment is a deployment of overlays/test on a cluster without controllers, which tests change as kubectl would. Its
// gateway and its bridge are servers of the test.
type deployment struct {
	*Doctor
	t *testing.T
	// exec has what commands in pods print, by their first argument; errors begin with "error: ".
	exec map[string]string
	// gatewayToken and bridgeToken are those that the running pods have.
	gatewayToken, bridgeToken string
	letters                   []*imageflowv1.DeadLetter
	// forbidden has the resources on which no account has rights.
	forbidden map[string]bool
}

var ready = duckv1.Status{Conditions: duckv1.Conditions{{Type: apis.ConditionReady, Status: corev1.ConditionTrue}}}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: testNamespace}
}

func in(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: namespace}
}

// newDeployment returns a deployment without a fault.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, exec: map[string]string{"setup": "the store is ready", "formats": "reads avif, jpeg\nwrites jpeg"},
		bridgeToken: "the-bridge-token", forbidden: map[string]bool{}}
	kube, services, eventings, others := d.objects()
	client := fakekube.NewClientset(kube...)
	discovery := client.Discovery().(*fakediscovery.FakeDiscovery)
	for _, group := range []string{"serving.knative.dev/v1", "eventing.knative.dev/v1", "argoproj.io/v1alpha1"} {
		discovery.Resources = append(discovery.Resources, &metav1.APIResourceList{GroupVersion: group})
	}
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		asked := review.Spec.ResourceAttributes
		review.Status.Allowed = !d.forbidden[asked.Verb+" "+asked.Resource+"/"+asked.Subresource]
		return true, review, nil
	})
	kinds := map[schema.GroupVersionResource]string{workflowTemplates: "WorkflowTemplateList"}
	d.Doctor = New(&cluster.Clients{
		Kube: client, Serving: fakeserving.NewSimpleClientset(services...), Eventing: fakeeventing.NewSimpleClientset(eventings...),
		Dynamic: fakedynamic.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, others...), Namespace: testNamespace,
	})
	d.pods = d
	return d
}

// testOverlay returns the objects of overlays/test, which is built once.
var testOverlay = sync.OnceValues(func() ([]*unstructured.Unstructured, error) {
	return overlay.Build("../../../../config/overlays/test", nil)
})

// objects returns the objects of the overlay, as Knative's controllers would have completed them, and those of the cluster.
func (d *deployment) objects() (kube, services, eventings, others []runtime.Object) {
	built, err := testOverlay()
	if err != nil {
		d.t.Fatal(err)
	}
	kube = clusterObjects()
	for _, u := range built {
		kind := u.GroupVersionKind()
		switch {
		case kubescheme.Scheme.Recognizes(kind):
			kube = append(kube, d.typed(u, kubescheme.Scheme))
		case servingscheme.Scheme.Recognizes(kind):
			s := d.typed(u, servingscheme.Scheme).(*servingv1.Service)
			s.Status.Status = ready
			s.Status.LatestCreatedRevisionName, s.Status.LatestReadyRevisionName = s.Name+"-00001", s.Name+"-00001"
			services, kube = append(services, s), append(kube, podOf(s))
		case eventingscheme.Scheme.Recognizes(kind):
			o := d.typed(u, eventingscheme.Scheme)
			switch o := o.(type) {
			case *eventingv1.Trigger:
				o.Status.Status = ready
			case *eventingv1.Broker:
				o.Status.Status = ready
				o.Annotations = map[string]string{eventing.BrokerClassKey: eventing.MTChannelBrokerClassValue}
			}
			eventings = append(eventings, o)
		default:
			others = append(others, u)
		}
	}
	eventings = append(eventings, channel("one", "two"), subscription("one"), subscription("two"))
	route := &servingv1.Route{ObjectMeta: meta(gatewayService)}
	route.Status.URL = apis.HTTP("grpc-gateway.example")
	return kube, append(services, route), eventings, others
}

// typed returns an object as the scheme has it.
func (d *deployment) typed(u *unstructured.Unstructured, s *runtime.Scheme) runtime.Object {
	o, err := s.New(u.GroupVersionKind())
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return o
}

// podOf returns the running pod of a Service.
func podOf(s *servingv1.Service) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta(s.Name + "-pod"), Spec: s.Spec.Template.Spec.PodSpec}
	p.Status.Phase = corev1.PodRunning
	p.Labels = map[string]string{serving.ServiceLabelKey: s.Name}
	return p
}

// channel returns the channel of the broker, with subscribers, whose names are their UIDs, too.
func channel(names ...string) *messagingv1.InMemoryChannel {
	c := &messagingv1.InMemoryChannel{ObjectMeta: meta(channelOf(brokerName))}
	for _, name := range names {
		c.Spec.Subscribers = append(c.Spec.Subscribers, eventingduck.SubscriberSpec{Name: &name, UID: types.UID(name)})
	}
	return c
}

// subscription returns the Subscription of a subscriber of the channel.
func subscription(name string) *messagingv1.Subscription {
	s := &messagingv1.Subscription{ObjectMeta: meta(name)}
	s.UID = types.UID(name)
	return s
}

// clusterObjects returns what the cluster's owner has installed, and the secrets of the deployment.
func clusterObjects() []runtime.Object {
	secret := func(name string, values ...string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{}}
		for i := 0; i < len(values); i += 2 {
			s.Data[values[i]] = []byte(values[i+1])
		}
		return s
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"gpu": "T4"}}}
	node.Status.Allocatable = corev1.ResourceList{gpuResource: resource.MustParse("1")}
	alias := &corev1.Service{ObjectMeta: meta(gatewayService)}
	alias.Spec.Type, alias.Spec.ExternalName = corev1.ServiceTypeExternalName, "internal.ingress.svc.cluster.local"
	ingress := &corev1.Service{ObjectMeta: in("ingress", "internal")}
	ingress.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8001)}, {Port: argoPort}}
	controller := &appsv1.Deployment{ObjectMeta: in("argo", "workflow-controller")}
	controller.Spec.Template.Spec = corev1.PodSpec{ServiceAccountName: "argo", Containers: []corev1.Container{{
		Env: []corev1.EnvVar{{Name: "ARGO_AGENT_PATCH_RATE"}, {Name: "DEFAULT_REQUEUE_TIME"}},
	}}}
	all := []runtime.Object{
		node, alias, ingress, controller,
		&corev1.ConfigMap{ObjectMeta: in(servingNamespace, "config-features"), Data: map[string]string{
			"kubernetes.podspec-nodeselector": "enabled", "kubernetes.podspec-tolerations": "enabled"}},
		&corev1.ConfigMap{ObjectMeta: in(servingNamespace, "config-network"), Data: map[string]string{"ingress-class": "kourier"}},
		secret("minio-credentials", "access-key", "a", "secret-key", "b"), secret(bridgeToken, "token", "the-bridge-token"),
		secret(signingKeys, "keys", "c"),
	}
	for _, role := range []string{"resize", "detect", "filter", "gateway", "bridge"} {
		all = append(all, secret("minio-credentials-"+role, "access-key", role, "secret-key", "d"))
	}
	for _, name := range inMemoryParts {
		part := &appsv1.Deployment{ObjectMeta: in(eventingNamespace, name)}
		part.Status.ReadyReplicas = 1
		all = append(all, part)
	}
	return all
}

// Exec returns what the deployment has for a command.
func (d *deployment) Exec(_ context.Context, _, _ string, command ...string) (string, error) {
	text := d.exec[command[1]]
	if wrong, ok := strings.CutPrefix(text, "error: "); ok {
		return "", errors.New(wrong)
	}
	return text, nil
}

// Forward starts the gateway or the bridge, with the token of its pods.
func (d *deployment) Forward(_ context.Context, service string) (address string, stop func(), err error) {
	if service == bridgeService {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+d.bridgeToken {
				http.Error(w, "wrong", http.StatusUnauthorized)
			}
		}))
		return s.Listener.Addr().String(), s.Close, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(d.authorize))
	imageflowv1.RegisterPipelineServiceServer(s, &pipelines{})
	imageflowv1.RegisterExecutionServiceServer(s, &executions{letters: d.letters})
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), s.Stop, nil
}

// authorize refuses calls without the token of the gateway's pods.
func (d *deployment) authorize(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	given, _ := metadata.FromIncomingContext(ctx)
	if d.gatewayToken != "" && strings.Join(given["authorization"], "") != "Bearer "+d.gatewayToken {
		return nil, status.Error(codes.Unauthenticated, "wrong token")
	}
	return next(ctx, req)
}

type pipelines struct {
	imageflowv1.UnimplementedPipelineServiceServer
}

func (*pipelines) ListPresets(context.Context, *imageflowv1.ListPresetsRequest) (*imageflowv1.ListPresetsResponse, error) {
	return &imageflowv1.ListPresetsResponse{}, nil
}

type executions struct {
	imageflowv1.UnimplementedExecutionServiceServer
	letters []*imageflowv1.DeadLetter
}

func (e *executions) ListDeadLetters(
	context.Context, *imageflowv1.ListDeadLettersRequest,
) (*imageflowv1.ListDeadLettersResponse, error) {
	return &imageflowv1.ListDeadLettersResponse{DeadLetters: e.letters}, nil
}

func letter(execution, reason string, first time.Time) *imageflowv1.DeadLetter {
	at := timestamppb.New(first)
	return &imageflowv1.DeadLetter{ExecutionId: execution, Reason: reason, FirstFailedAt: at, LastFailedAt: at}
}
