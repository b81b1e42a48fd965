SELECT channel, count(*), count(price), sum(price), avg(price), min(price), max(url) FROM bid GROUP BY channel
;
SELECT channel, count(*) FILTER (WHERE price > 1), count(DISTINCT bidder), sum(DISTINCT price) FILTER (WHERE price > 2) FROM bid GROUP BY 1 HAVING count(*) > 2
;
SELECT sum(c), sum(d), avg(d), sum(a), sum(h), bool_and(a > 1), first(a ORDER BY b), last(a), list(a ORDER BY b DESC NULLS FIRST), string_agg(b, '-'), any_value(b), arg_max(a, c), median(c), quantile_cont(c, 0.5), stddev(c), mode(a), approx_count_distinct(b) FROM t
;
SELECT date_trunc('hour', date_time) h, channel, count(*) FROM bid GROUP BY ALL
;
SELECT DISTINCT channel, auction FROM bid
;
SELECT DISTINCT ON (auction) auction, price FROM bid ORDER BY auction, price DESC
;
SELECT channel, auction, count(*), grouping(channel, auction) FROM bid GROUP BY ROLLUP (channel, auction)
;
SELECT channel, auction, count(*) FROM bid GROUP BY GROUPING SETS ((channel), (auction), ())
;
SELECT count(*) + 1 FROM bid GROUP BY ()
;
SELECT quantile_cont(c, [0.1, 0.9]) FROM t
;
SELECT histogram(a), max(a, 2) FROM t
