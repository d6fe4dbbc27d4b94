import { createContext, useContext } from "react";
import { type Api, createApi } from "./api";

export const ApiContext = createContext<Api>(createApi());

export function useApi(): Api {
  return useContext(ApiContext);
}
