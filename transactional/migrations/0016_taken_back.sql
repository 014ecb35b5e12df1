alter table orders add column taken_back text;
