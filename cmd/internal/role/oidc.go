package role

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"imageflow.dev/internal/oidc"
)

// OIDC says whose tokens events must carry, beside their signatures.
type OIDC struct {
	Issuer    string   `envconfig:"OIDC_ISSUER" desc:"URL of who issues the tokens that Knative's broker sends with events; empty asks for no token"`
	Audience  string   `envconfig:"OIDC_AUDIENCE" desc:"audience of such a token, as in the Trigger's subscriber; $(K_SERVICE) in it is the name of the Knative Service"`
	Subjects  []string `envconfig:"OIDC_SUBJECTS" desc:"service accounts whose tokens are accepted, such as system:serviceaccount:NAMESPACE:NAME, with * for any text and commas between"`
	CAFile    string   `envconfig:"OIDC_CA_FILE" desc:"file of the certificates that vouch for the issuer; empty means the system's"`
	TokenFile string   `envconfig:"OIDC_TOKEN_FILE" desc:"file of the token with which the issuer's keys are read; empty sends none"`
}

func (c OIDC) validate() error {
	if c.Issuer == "" {
		return nil
	}
	var subjects error
	if len(c.Subjects) == 0 {
		subjects = errors.New("OIDC_SUBJECTS must be set where OIDC_ISSUER is")
	}
	return errors.Join(required("OIDC_AUDIENCE", c.Audience), subjects)
}

// verifier returns nil where no tokens are asked for.
func (c OIDC) verifier() (*oidc.Verifier, error) {
	if c.Issuer == "" {
		return nil, nil
	}
	c.Audience = c.audience()
	v, err := oidc.New(oidc.Config(c))
	if err != nil {
		return nil, fmt.Errorf("OIDC_CA_FILE is not usable: %w", err)
	}
	return v, nil
}

// audience returns the audience with the name of the Knative Service in it. Knative
// adds K_SERVICE after the variables of the manifest, so Kubernetes does not expand it.
func (c OIDC) audience() string {
	return strings.ReplaceAll(c.Audience, "$(K_SERVICE)", os.Getenv("K_SERVICE"))
}
