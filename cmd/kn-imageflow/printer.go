package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

// wideFormat is a table with all columns.
const wideFormat = "wide"

// printer prints the result of a command in the format of its flag --output.
type printer struct {
	formats   *genericclioptions.PrintFlags
	noHeaders bool
	// objects prints objects for programs, and separates several of them where the format needs it; nil for a table.
	objects printers.ResourcePrinter
}

// addPrinter adds the flags of a printer to a command, which refuses a wrong format before it does anything.
func addPrinter(c *cobra.Command) *printer {
	p := &printer{formats: genericclioptions.NewPrintFlags("")}
	p.formats.AddFlags(c)
	names := append(p.formats.AllowedFormats(), wideFormat)
	slices.Sort(names)
	c.Flags().Lookup("output").Usage = fmt.Sprintf("format of the output: one of %v (default a table)", names)
	c.Flags().BoolVar(&p.noHeaders, "no-headers", false, "print a table without its headers")
	c.PreRunE = func(*cobra.Command, []string) (err error) {
		if !p.isTable() {
			p.objects, err = p.formats.ToPrinter()
		}
		return err
	}
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return p
}

// result is what a command found: objects, and the same as a table. A column with a priority above 0 is only in wide tables.
type result struct {
	columns []metav1.TableColumnDefinition
	rows    [][]any
	objects []runtime.Object
}

// column is a column of a result; wide ones are only in wide tables.
func column(name string, wide bool) metav1.TableColumnDefinition {
	c := metav1.TableColumnDefinition{Name: name, Type: "string"}
	if wide {
		c.Priority = 1
	}
	return c
}

// add adds a row and its object.
func (r *result) add(object runtime.Object, cells ...any) {
	r.rows = append(r.rows, cells)
	r.objects = append(r.objects, object)
}

// isTable reports whether results are printed for people.
func (p *printer) isTable() bool {
	format := *p.formats.OutputFormat
	return format == "" || format == wideFormat
}

// isLines reports whether the format is the one without a name.
func (p *printer) isLines() bool { return *p.formats.OutputFormat == "" }

// printOne prints an object, which needs its kind, in a format for programs.
func (p *printer) printOne(object runtime.Object, o *options) error {
	return p.objects.PrintObj(object, o.data)
}

// print prints a result.
func (p *printer) print(r *result, to *options) error {
	switch format := *p.formats.OutputFormat; {
	case format == "name": // whose printer takes no lists
		for _, o := range r.objects {
			if err := p.printOne(o, to); err != nil {
				return err
			}
		}
		return nil
	case !p.isTable():
		list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
		for _, o := range r.objects {
			list.Items = append(list.Items, runtime.RawExtension{Object: o})
		}
		return p.printOne(list, to)
	case len(r.rows) == 0:
		_, err := fmt.Fprintln(to.out, "nothing found")
		return err
	}
	table := &metav1.Table{ColumnDefinitions: r.columns}
	for _, cells := range r.rows {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: escapedCells(cells)})
	}
	options := printers.PrintOptions{Wide: *p.formats.OutputFormat == wideFormat, NoHeaders: p.noHeaders}
	return printers.NewTablePrinter(options).PrintObj(table, to.out)
}

// escapedCells returns cells whose texts move nothing in a table.
func escapedCells(cells []any) []any {
	escaped := slices.Clone(cells)
	for i, cell := range cells {
		if s, ok := cell.(string); ok {
			escaped[i] = text.Escape(s)
		}
	}
	return escaped
}
