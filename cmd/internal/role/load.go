package role

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"
)

// Load fills a config from the environment. It calls envconfig for one field at a time,
// because envconfig stops at the first invalid variable.
func Load(config any) error {
	err := loadStruct(config)
	if c, ok := config.(*GatewayConfig); ok {
		c.Endpoints = Endpoints{}
		err = errors.Join(err, c.Endpoints.load(c.Domain))
	}
	return err
}

func loadStruct(config any) error {
	var bad []error
	each(reflect.ValueOf(config).Elem(), func(field reflect.StructField, value reflect.Value) {
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		if err := envconfig.Process("", one.Interface()); err != nil {
			var parse *envconfig.ParseError
			if errors.As(err, &parse) {
				err = fmt.Errorf("%s is %q, which is not a valid %s", parse.KeyName, parse.Value, parse.TypeName)
			}
			bad = append(bad, err)
		}
		value.Set(one.Elem().Field(0))
	})
	return errors.Join(bad...)
}

// each visits the fields that are variables, also in embedded structs.
func each(v reflect.Value, visit func(reflect.StructField, reflect.Value)) {
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Anonymous {
			each(v.Field(i), visit)
		} else if field.Tag.Get("ignored") == "" {
			visit(field, v.Field(i))
		}
	}
}

// usage is the template with which envconfig prints each variable.
const usage = `{{range .}}  {{usage_key .}}	{{usage_description .}}{{with usage_default .}} (default {{.}}){{end}}
{{end}}`

// Usage prints every variable of a config.
func Usage(w io.Writer, config any) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if err := envconfig.Usagef("", config, table, usage); err != nil {
		return err
	}
	if c, ok := config.(*GatewayConfig); ok {
		if err := envconfig.Usagef("", c.Endpoints.variables(), table, usage); err != nil {
			return err
		}
	}
	return table.Flush()
}
