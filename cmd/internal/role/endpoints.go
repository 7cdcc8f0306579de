package role

import (
	"cmp"
	"fmt"
	"reflect"

	"imageflow.dev/internal/processors"
)

// Endpoints has the host:port of each processor, by name.
type Endpoints map[string]string

// variables returns a pointer to a struct with one string field for each processor,
// tagged with the processor's variable.
func (e Endpoints) variables() any {
	fields := make([]reflect.StructField, len(processors.All))
	for i, p := range processors.All {
		desc := fmt.Sprintf("host:port of %s; empty means %s:80, or %[2]s.PROCESSOR_DOMAIN:80", p.Name, p.Host)
		tag := fmt.Sprintf("envconfig:%q desc:%q", p.EndpointVariable, desc)
		fields[i] = reflect.StructField{Name: fmt.Sprint("Endpoint", i), Type: reflect.TypeFor[string](), Tag: reflect.StructTag(tag)}
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// load reads the variables; domain completes the default endpoints.
func (e Endpoints) load(domain string) error {
	variables := e.variables()
	err := loadStruct(variables)
	for i, p := range processors.All {
		e[p.Name] = cmp.Or(reflect.ValueOf(variables).Elem().Field(i).String(), p.DefaultEndpoint(domain))
	}
	return err
}
