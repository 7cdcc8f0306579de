package doctor

import (
	"fmt"
	"strings"
)

// deploy is the fix of what the manifests have.
const deploy = "kubectl apply -k config/overlays/production  # or your overlay; on a test cluster: make deploy"

// unread is the fix of an object that the account may not read, or that its owner has removed.
const unread = "kubectl auth can-i --list  # the checks need to get and list objects of this kind; see config/README.md"

// restart returns the fix that gives Services new pods, which read the secrets anew.
func (d *Doctor) restart(services ...string) string {
	const annotation = `'{"spec":{"template":{"metadata":{"annotations":{"imageflow.dev/keys":"'$(date +%s)'"}}}}}'`
	return fmt.Sprintf("for s in %s; do kubectl patch ksvc -n %s $s --type merge -p %s; done",
		strings.Join(services, " "), d.Namespace, annotation)
}

// fromSecret returns the text of a shell that becomes the value in a secret.
func fromSecret(namespace, name, key string) string {
	return fmt.Sprintf(`"$(kubectl get secret -n %s %s -o go-template='{{index .data "%s" | base64decode}}')"`, namespace, name, key)
}

// editTrigger is the fix of a wrong Trigger.
func (d *Doctor) editTrigger(name string) string {
	return "kubectl edit trigger -n " + d.Namespace + " " + name
}
