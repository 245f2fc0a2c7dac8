"""The rules that bring connections to a transparent listener, as `docs/operating.md` shows them.

Port 7777 is in none of the lists of lictor, so a rule that is too wide is seen.
"""

REDIRECT_IPTABLES = """
for tool in iptables ip6tables; do
    $tool -t nat -A PREROUTING -i inside -p tcp -m multiport --dports 9000,8081,7777 -j REDIRECT --to-ports 15006
done
"""

REDIRECT_NFT = """
nft -f - <<'RULES'
table inet lictor {
    chain prerouting {
        type nat hook prerouting priority dstnat
        iifname "inside" tcp dport { 9000, 8081, 7777 } redirect to :15006
    }
}
RULES
"""

# What is marked is for us, wherever it was going.
ROUTES = """
for family in -4 -6; do
    ip $family rule add fwmark 133 lookup 133
    ip $family route add local default dev lo table 133
done
"""

TPROXY_IPTABLES = ROUTES + """
for tool in iptables ip6tables; do
    $tool -t mangle -A PREROUTING -i inside -p tcp -m multiport --dports 9000,8081,7777 \
        -j TPROXY --on-port 15006 --tproxy-mark 133
done
"""

TPROXY_NFT = ROUTES + """
nft -f - <<'RULES'
table inet lictor {
    chain prerouting {
        type filter hook prerouting priority mangle
        iifname "inside" tcp dport { 9000, 8081, 7777 } tproxy to :15006 meta mark set 133
    }
}
RULES
"""

SCENARIOS = {
    "redirect by iptables": ("redirect", REDIRECT_IPTABLES),
    "redirect by nft": ("redirect", REDIRECT_NFT),
    "tproxy by iptables": ("tproxy", TPROXY_IPTABLES),
    "tproxy by nft": ("tproxy", TPROXY_NFT),
}
