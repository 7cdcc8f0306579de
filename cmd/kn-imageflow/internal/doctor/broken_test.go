package doctor

import (
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fakediscovery "k8s.io/client-go/discovery/fake"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/processors"
)

const hookSecret = "shop=whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyAuLi4u"

// brokenDeployments are changes to a deployment, the checks that then fail, and texts of the first one.
var brokenDeployments = map[string]struct {
	change func(*deployment)
	checks string
	wants  []string
}{
	"a missing secret": {
		func(d *deployment) { d.removeSecret(signingKeys) }, "secrets",
		[]string{"there is no secret event-signing-keys",
			`kubectl create secret generic -n image-processing event-signing-keys --from-literal=keys="$(openssl rand -hex 32)"`,
			"for s in ai-detection-grpc-service bridge filter-grpc-service grpc-gateway resize-grpc-service; do kubectl patch ksvc"},
	},
	"a missing key of a secret": {
		func(d *deployment) {
			d.secretData("minio-credentials-bridge", func(data map[string][]byte) { delete(data, "secret-key") })
		}, "secrets",
		[]string{"secret minio-credentials-bridge has no secret-key",
			`-p '{"stringData":{"secret-key":"'"${SECRET_KEY:?of the secret minio-credentials-bridge}"'"}}'`},
	},
	"outputs in a bucket that WRITE_TO lacks": {
		func(d *deployment) {
			d.trigger("chain-2-detect", func(t *eventingv1.Trigger) { t.Spec.Subscriber.URI.RawQuery += "&output_image.bucket=archive" })
		}, "outputs chains",
		[]string{"chain-2-detect writes to bucket archive, which is not in WRITE_TO of ai-detection-grpc-service: imageflow-files",
			"kubectl patch ksvc -n image-processing ai-detection-grpc-service --type json", `"value":"imageflow-files,archive"}]'`},
	},
	"uploads in a bucket that WRITE_TO lacks": {
		func(d *deployment) {
			d.service(resizeService, func(s *servingv1.Service) {
				env := s.Spec.Template.Spec.Containers[0].Env
				for i := range env {
					if env[i].Name == "WRITE_TO" {
						env[i].Value = "pictures/out/,archive"
					}
				}
			})
		}, "outputs",
		[]string{"chain-1-resize writes to bucket imageflow-files, which is not in WRITE_TO of resize-grpc-service: pictures/out/,",
			`"value":"pictures/out/,archive,imageflow-files"}]'`},
	},
	"a pipeline for uploads in a bucket that WRITE_TO lacks": {
		func(d *deployment) {
			d.addTrigger("avatars", gatewayService, "/?pipeline=avatar")
			d.trigger("avatars", func(t *eventingv1.Trigger) {
				t.Spec.Filters = []eventingv1.SubscriptionsAPIFilter{
					{Prefix: map[string]string{"type": "com.amazonaws.s3.ObjectCreated:", "subject": "avatars/"}},
					{Exact: map[string]string{"source": "minio:s3..photos"}},
				}
			})
		}, "outputs chains",
		[]string{"avatars writes to bucket photos, which is not in WRITE_TO of resize-grpc-service: imageflow-files",
			"avatars writes to bucket photos, which is not in WRITE_TO of filter-grpc-service: imageflow-files",
			`"value":"imageflow-files,photos"}]'`},
	},
	"a missing feature flag": {
		func(d *deployment) {
			d.configMap(servingNamespace, "config-features", func(m *corev1.ConfigMap) {
				m.Data["kubernetes.podspec-nodeselector"] = "disabled"
			})
		}, "features",
		[]string{"kubernetes.podspec-nodeselector is not enabled",
			"kubectl patch configmap -n knative-serving config-features --type merge"},
	},
	"a missing bucket": {
		func(d *deployment) { d.exec["setup"] = "error: bucket imageflow-files: does not exist" }, "store",
		[]string{"bucket imageflow-files: does not exist",
			"kubectl exec -n image-processing bridge-pod -c bridge -- env MINIO_ACCESS_KEY=",
			"/imageflow setup"},
	},
	"a webhook without a secret": {
		func(d *deployment) { d.notifyWith("shop=https://shop.example/hooks", "", "shop") }, "webhooks chains",
		[]string{"shop: has no secret", `--from-literal=urls="shop=${SHOP_URL:?`, "for s in notify; do"},
	},
	"a Trigger for a webhook that does not exist": {
		func(d *deployment) { d.notifyWith("shop=https://shop.example/hooks", hookSecret, "shoop") }, "webhooks chains",
		[]string{`there is no "shoop"; HOOK_URLS has shop`, "kubectl edit trigger -n image-processing shop", "shoop=${SHOOP_URL:?",
			"{{index .data \"urls\" | base64decode}}"},
	},
	"webhooks without notify": {
		func(d *deployment) { d.addTrigger("shop", notifyService, "/?hook=shop") }, "webhooks chains",
		[]string{"Trigger image-processing/shop: there is no Service notify", "config/components/webhooks"},
	},
	"no GPU": {
		func(d *deployment) { d.detectOnGPU("T4"); d.withoutGPUs() }, "gpu",
		[]string{"no node offers any", `{"op":"remove","path":"/spec/template/spec/nodeSelector"}`,
			`{"op":"remove","path":"/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu"}`},
	},
	"GPUs of another kind": {
		func(d *deployment) { d.detectOnGPU("A100") }, "gpu",
		[]string{"none has the labels that detect selects: gpu=A100", "kubectl label node node-1 --overwrite gpu=A100"},
	},
	"another token of the gateway": {
		func(d *deployment) {
			d.gatewayToken = "the-old-gateway-token"
			d.addSecret(gatewayToken, map[string]string{"token": "the-new-gateway-token"})
		}, "tokens",
		[]string{"the gateway refuses the token in secret gateway-token", "for s in grpc-gateway; do kubectl patch ksvc"},
	},
	"a new token of the gateway": {
		func(d *deployment) { d.addSecret(gatewayToken, map[string]string{"token": "the-new-gateway-token"}) }, "tokens",
		[]string{"the gateway takes calls without a token", "for s in grpc-gateway; do kubectl patch ksvc"},
	},
	"another token of the bridge": {
		func(d *deployment) { d.bridgeToken = "the-old-bridge-token" }, "tokens",
		[]string{"the bridge refuses the token in secret bridge-token", "for s in bridge; do kubectl patch ksvc"},
	},
	"Triggers with one output": {
		func(d *deployment) { d.addTrigger("small", resizeService, "/?target_width=320") }, "outputs chains",
		[]string{"Trigger image-processing/small", `kubectl patch trigger -n image-processing small --type merge ` +
			`-p '{"spec":{"subscriber":{"uri":"/?target_width=320&variant=small"}}}'`},
	},
	"an unready broker": {
		func(d *deployment) {
			b, err := d.Eventing.EventingV1().Brokers(testNamespace).Get(d.t.Context(), brokerName, metav1.GetOptions{})
			d.must(err)
			b.Status.Status = notReady("IngressDown")
			_, err = d.Eventing.EventingV1().Brokers(testNamespace).Update(d.t.Context(), b, metav1.UpdateOptions{})
			d.must(err)
			d.part(eventingNamespace, "mt-broker-ingress", func(p *appsv1.Deployment) { p.Spec.Replicas = new(int32) })
		}, "broker",
		[]string{"class MTChannelBasedBroker: IngressDown", "mt-broker-ingress has been scaled to 0",
			"kubectl scale deployment -n knative-eventing mt-broker-ingress --replicas=1"},
	},
	"full dead letters": {
		func(d *deployment) {
			day := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
			d.letters = append(d.letters, letter("uploads/b", "the store", day), letter("uploads/a", "other", day.Add(-time.Hour)))
		}, "dead-letters",
		[]string{"2 dead letters, the oldest since 2026-11-28T02:00:00Z; the last one is of execution uploads/b: the store",
			"kn imageflow dead-letter list -n image-processing", "kn imageflow dead-letter replay --all"},
	},
	"an old image": {
		func(d *deployment) {
			d.service(resizeService, func(s *servingv1.Service) { s.Spec.Template.Spec.Containers[0].Image = "dev.local/imageflow:old" })
		}, "images",
		[]string{"resize-grpc-service runs dev.local/imageflow:old, but the others run :dev",
			`"path":"/spec/template/spec/containers/0/image","value":"dev.local/imageflow:dev"`},
	},
	"a revision that does not start": {
		func(d *deployment) {
			d.service(resizeService, func(s *servingv1.Service) { s.Status.LatestCreatedRevisionName = "resize-grpc-service-00002" })
		}, "images",
		[]string{"resize-grpc-service-00002 is not ready; resize-grpc-service-00001 serves",
			"kubectl describe revision -n image-processing resize-grpc-service-00002"},
	},
	"no Knative Eventing": {
		func(d *deployment) {
			known := d.Kube.Discovery().(*fakediscovery.FakeDiscovery)
			known.Resources = known.Resources[:1]
		}, "knative", []string{"eventing.knative.dev/v1", "https://knative.dev/docs/install"},
	},
	"no namespace": {
		func(d *deployment) {
			d.must(d.Kube.CoreV1().Namespaces().Delete(d.t.Context(), testNamespace, metav1.DeleteOptions{}))
		}, "namespace", []string{"not found", "kubectl apply -k"},
	},
	"a missing Service": {
		func(d *deployment) {
			d.must(d.Serving.ServingV1().Services(testNamespace).Delete(d.t.Context(), processors.Filter.Host, metav1.DeleteOptions{}))
		}, "services", []string{"filter-grpc-service does not exist", "kubectl apply -k"},
	},
	"a Service whose controller has not seen it": {
		func(d *deployment) { d.service(resizeService, func(s *servingv1.Service) { s.Generation = 2 }) }, "services",
		[]string{"resize-grpc-service: not seen by its controller yet"},
	},
	"an unready ingress": {
		func(d *deployment) {
			r, err := d.Serving.ServingV1().Routes(testNamespace).Get(d.t.Context(), gatewayService, metav1.GetOptions{})
			d.must(err)
			unready := apis.Condition{Type: servingv1.RouteConditionIngressReady, Status: corev1.ConditionFalse, Reason: "None"}
			r.Status.Conditions = duckv1.Conditions{unready}
			_, err = d.Serving.ServingV1().Routes(testNamespace).Update(d.t.Context(), r, metav1.UpdateOptions{})
			d.must(err)
		}, "ingress", []string{"class kourier: None", "kubectl patch configmap -n knative-serving config-network"},
	},
	"an unready Trigger": {
		func(d *deployment) {
			d.trigger("chain-2-detect", func(t *eventingv1.Trigger) { t.Status.Status = notReady("SubscriberMissing") })
		}, "triggers", []string{"chain-2-detect: SubscriberMissing", "kubectl describe trigger -n image-processing chain-2-detect"},
	},
	"a subscriber that Knative has left": {
		func(d *deployment) {
			_, err := d.Eventing.MessagingV1().InMemoryChannels(testNamespace).Update(d.t.Context(),
				channel("one", "two", "gone"), metav1.UpdateOptions{})
			d.must(err)
		}, "triggers", []string{"has subscribers without a Trigger: gone\n",
			"kubectl delete inmemorychannel -n image-processing default-kne-trigger"},
	},
	"an unknown preset": {
		func(d *deployment) {
			d.trigger("chain-1-resize", func(t *eventingv1.Trigger) { t.Spec.Subscriber.URI.RawQuery = "preset=thumbb" })
		}, "presets chains", []string{`there is no "thumbb"`, "kubectl edit trigger -n image-processing chain-1-resize"},
	},
	"a parameter outside its range": {
		func(d *deployment) {
			d.trigger("chain-1-resize", func(t *eventingv1.Trigger) { t.Spec.Subscriber.URI.RawQuery = "target_width=-1" })
		}, "presets chains", []string{"spec.subscriber.uri: target_width", "kubectl edit trigger -n image-processing chain-1-resize"},
	},
	"a file of presets that is not valid": {
		func(d *deployment) {
			d.configMap(testNamespace, "presets", func(m *corev1.ConfigMap) {
				for key := range m.Data {
					m.Data[key] = "presets:\n  thumb: {resize: {target_widht: 150}}\n"
				}
			})
		}, "presets", []string{"line 2", "configMapGenerator"},
	},
	"different presets": {
		func(d *deployment) {
			d.service(gatewayService, func(s *servingv1.Service) {
				for _, v := range s.Spec.Template.Spec.Volumes {
					if v.ConfigMap != nil && strings.HasPrefix(v.ConfigMap.Name, "presets") {
						v.ConfigMap.Name = "presets-old"
					}
				}
			})
		}, "presets",
		[]string{"PRESETS_FILE is not the same everywhere", "configmap presets-old: grpc-gateway\n", "config/components/presets"},
	},
	"no list of Triggers": {
		func(d *deployment) {
			d.must(d.Kube.CoreV1().ConfigMaps(testNamespace).Delete(d.t.Context(), "triggers", metav1.DeleteOptions{}))
		}, "chains", []string{"GET /v1/chains answers nothing", "kubectl create configmap triggers -n image-processing --from-file"},
	},
	"another filter than in the list": {
		func(d *deployment) {
			d.trigger("chain-1-resize", func(t *eventingv1.Trigger) { t.Spec.Filters[0].Prefix["subject"] = "in/" })
		}, "chains", []string{"chain-1-resize has another filter or subscriber in the configmap triggers"},
	},
	"no pods of the bridge": {
		func(d *deployment) { d.removePod(bridgeService) }, "store",
		[]string{"no pod of the bridge runs", "kubectl describe pods -n image-processing -l serving.knative.dev/service=bridge"},
	},
	"no rights of Argo's agent": {
		func(d *deployment) { d.forbidden["create workflowtaskresults/"] = true }, "argo",
		[]string{"Argo's agent, account imageflow-workflow, may not create workflowtaskresults",
			"kubectl apply -f config/argo/rbac.yaml"},
	},
	"no rights of Argo's controller": {
		func(d *deployment) { d.forbidden["patch workflowtasksets/status"] = true }, "argo",
		[]string{"Argo's controller, account argo/argo, may not patch workflowtasksets/status", "--serviceaccount=argo:argo"},
	},
	"no settings of Argo's agent": {
		func(d *deployment) {
			d.part("argo", "workflow-controller", func(p *appsv1.Deployment) { p.Spec.Template.Spec.Containers[0].Env = nil })
		}, "argo",
		[]string{"kubectl set env -n argo deployment/workflow-controller ARGO_AGENT_PATCH_RATE=500ms DEFAULT_REQUEUE_TIME=1s"},
	},
	"no port for Argo": {
		func(d *deployment) {
			s, err := d.Kube.CoreV1().Services("ingress").Get(d.t.Context(), "internal", metav1.GetOptions{})
			d.must(err)
			s.Spec.Ports = s.Spec.Ports[:1]
			_, err = d.Kube.CoreV1().Services("ingress").Update(d.t.Context(), s, metav1.UpdateOptions{})
			d.must(err)
		}, "argo",
		[]string{"Service internal in ingress has no port 8080", "kubectl patch service -n ingress internal --type json",
			`"value":{"name":"http-8080","port":8080,"targetPort":8001}`},
	},
}
