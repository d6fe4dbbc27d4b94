DROP TABLE partition_ledger;
DROP TABLE dead_letters;
