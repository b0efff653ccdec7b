package shop

import "github.com/scangate/scangate/internal/lint/filedeps/testdata/shop/internal/till"

type prices struct{ all map[string]int }

func defaultPrices() prices { return prices{} }

func (p prices) of(item string) int { return p.all[item] }

type auditor interface{ rename(string) }

// shelf is generic. A use of put is an instance, not the declared method.
type shelf[T any] struct{}

func (shelf[T]) put(T) {}

func audit(s *Shop) {
	label(s)
	label(s)
	var a auditor = s
	a.rename("interfaces are not followed")
	shelf[int]{}.put(till.Round(1))
}
