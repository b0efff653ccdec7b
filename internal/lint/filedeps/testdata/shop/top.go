// Package shop has files that depend on each other in every way that filedeps knows.
package shop

import "github.com/scangate/scangate/internal/lint/filedeps/testdata/shop/internal/till"

type Shop struct {
	name   string
	prices prices
}

func Open(name string) *Shop {
	return &Shop{name: name, prices: defaultPrices()}
}

func (s *Shop) Sell(item string) int {
	price := s.price(item)
	audit(s)
	each([]*Shop{s}, label)
	return till.Round(price)
}
