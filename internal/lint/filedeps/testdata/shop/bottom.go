package shop

type prices struct{ all map[string]int }

func defaultPrices() prices { return prices{} }

func (p prices) of(item string) int { return p.all[item] }

type auditor interface{ rename(string) }

func audit(s *Shop) {
	label(s)
	label(s)
	var a auditor = s
	a.rename("interfaces are not followed")
}
